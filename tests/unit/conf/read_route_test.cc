#include "tests/unit/conf/findings.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

using namespace test;

TEST(Loader, ReportsRoutes) {
  const std::string used = ",\n{service: web}, {service: other, match: {path: /o}}";
  const Case cases[] = {
      {"no action",
       with_route("{}" + used),
       {"2:1: error: listeners[0].routes[0]: one of service, redirect or respond is wanted here"}},
      {"two actions",
       with_route("{match: {path: /x}, respond: {}, redirect: {scheme: https}}" + used),
       {"2:30: error: listeners[0].routes[0].respond: only one of service, redirect or respond can be given, not "
        "redirect and respond"}},
      {"a service that is not",
       with_route("{match: {path: /x}, service: wep}" + used),
       {"2:30: error: listeners[0].routes[0].service: there is no service \"wep\""}},
      {"an empty redirect",
       with_route("{match: {path: /x}, redirect: {status: 301}}" + used),
       {"2:31: error: listeners[0].routes[0].redirect: a redirect to where the request already is"}},
      {"redirects",
       with_route("{match: {path: /x}, redirect: {status: 304, scheme: ftp, host: 'a b', path: x}}" + used),
       {"2:40: error: listeners[0].routes[0].redirect.status: \"304\" is not the status of a redirect",
        "2:53: error: listeners[0].routes[0].redirect.scheme: \"ftp\" is not one of http, https",
        "2:64: error: listeners[0].routes[0].redirect.host: \"a b\" is not a host",
        "2:77: error: listeners[0].routes[0].redirect.path: \"x\" is not a path"}},
      {"a redirect's header injection",
       with_route("{match: {path: /x}, redirect: {host: \"a\\r\\nSet-Cookie: x\"}}" + used),
       {"2:38: error: listeners[0].routes[0].redirect.host: \"a\\x0d\\nSet-Cookie: x\" has control characters"}},
      {"hosts with ports and in brackets",
       with_route("{match: {path: /x}, redirect: {host: 'A.example:8443'}}, {match: {host: '[2001:db8::1]'}, "
                  "redirect: {host: '[::1]:80'}}" +
                  used),
       {}},
      {"answers",
       with_route("{match: {path: /x}, respond: {status: 199}}, {match: {path: /y}, respond: {status: 600}}" + used),
       {"2:39: error: listeners[0].routes[0].respond.status: \"199\" is out of range",
        "2:84: error: listeners[0].routes[1].respond.status: \"600\" is out of range"}},
      {"a body where none can be",
       with_route("{match: {path: /x}, respond: {status: 204, body: x}}" + used),
       {"2:50: error: listeners[0].routes[0].respond.body: an answer with status 204 has no body"}},
      {"a content type's header injection",
       with_route("{match: {path: /x}, respond: {content_type: \"a\\nb: c\"}}" + used),
       {"2:45: error: listeners[0].routes[0].respond.content_type: \"a\\nb: c\" has control characters"}},
      {"hosts",
       with_route("{match: {host: 'a.example:80'}, respond: {}}, {match: {host: 'a.*.b'}, respond: {}},"
                  "{match: {host: bücher.example}, respond: {}}, {match: {host: '::1'}, respond: {}},"
                  "{match: {host: 'a.example.'}, respond: {}}, {match: {host: '*.1.2.3.4'}, respond: {}}" +
                  used),
       {"2:16: error: listeners[0].routes[0].match.host: \"a.example:80\" has a port",
        "2:62: error: listeners[0].routes[1].match.host: \"a.*.b\" has its `*` in the wrong place",
        "2:100: error: listeners[0].routes[2].match.host: \"bücher.example\" is not in ASCII",
        "2:147: error: listeners[0].routes[3].match.host: \"::1\" is an IPv6 address without brackets",
        "2:183: error: listeners[0].routes[4].match.host: \"a.example.\" ends with a dot",
        "2:227: error: listeners[0].routes[5].match.host: \"*.1.2.3.4\" has its `*` in the wrong place"}},
      {"paths",
       with_route("{match: {path: x}, respond: {}}, {match: {path: '/a b'}, respond: {}}, "
                  "{match: {path: '/a?b'}, respond: {}}, {match: {path_type: exact}, respond: {}}" +
                  used),
       {"2:16: error: listeners[0].routes[0].match.path: \"x\" is not a path to match",
        "2:49: error: listeners[0].routes[1].match.path: \"/a b\" is not a path to match",
        "2:87: error: listeners[0].routes[2].match.path: \"/a?b\" is not a path to match",
        "2:130: error: listeners[0].routes[3].match.path_type: there is no `path` that it is for"}},
      {"the same match twice, however it is written",
       with_route("{match: {host: A.example, path: /api}, service: web},\n{match: {host: a.Example, path: /api/}, "
                  "service: other},\n"
                  "{match: {host: a.example, path: /api, path_type: exact}, service: web},\n{service: web},\n"
                  "{match: {host: '*', path: /}, service: web}"),
       {"3:1: warning: listeners[0].routes[1]: this route can never match",
        "6:1: warning: listeners[0].routes[4]: this route can never match"}},
      {"a service nobody routes to",
       with_route("{service: web}"),
       {"4:58: warning: services[1].name: no route leads to the service \"other\""}},
  };
  expect(cases);
}

TEST(Loader, ReportsRoutesByTlv) {
  const auto with_routes = [](std::string_view routes, std::string_view policy = "require") {
    return "listeners: [{listen: ':80', client_ip: {proxy_protocol: [{from: [192.0.2.1], policy: " +
           std::string(policy) + "}]}, routes: [\n" + std::string(routes) + "\n]}]\n";
  };
  const auto with_tlvs = [&](std::string_view tlvs) {
    return with_routes("{respond: {}, match: {tlv: " + std::string(tlvs) + "}}");
  };
  const Case cases[] = {
      {"right ones", with_tlvs("{aws_vpce_id: vpce-1, azure_link_id: 7, ssl_client: 7, 0xe3: 'a b', 0xE4: 0x00}"), {}},
      {"not a map",
       with_tlvs("[aws_vpce_id]"),
       {"2:28: error: listeners[0].routes[0].match.tlv: a map is wanted here, not a list"}},
      {"misspelt",
       with_tlvs("{aws_vpc_id: x}"),
       {"2:29: error: listeners[0].routes[0].match.tlv.aws_vpc_id: \"aws_vpc_id\" is not the name of a TLV"}},
      {"no octet",
       with_tlvs("{0x100: x, \"\\e\": x}"),
       {"2:29: error: listeners[0].routes[0].match.tlv.0x100: \"0x100\" is not the name of a TLV",
        "2:39: error: listeners[0].routes[0].match.tlv.\"\\x1b\": \"\\x1b\" is not the name of a TLV"}},
      {"values that cannot be",
       with_tlvs("{azure_link_id: 4294967296, crc32c: abc, authority: '100%', 0xE3: 0x1, ssl_cn: [], alpn: }"),
       {"2:44: error: listeners[0].routes[0].match.tlv.azure_link_id: \"4294967296\" is no value of this TLV",
        "2:64: error: listeners[0].routes[0].match.tlv.crc32c: \"abc\" is no value of this TLV",
        "2:80: error: listeners[0].routes[0].match.tlv.authority: \"100%\" is no value of this TLV",
        "2:94: error: listeners[0].routes[0].match.tlv.0xE3: \"0x1\" is no value of this TLV",
        "2:107: error: listeners[0].routes[0].match.tlv.ssl_cn: text is wanted here, not a list",
        "2:117: error: listeners[0].routes[0].match.tlv.alpn: text is wanted here, not nothing"}},
      {"one type in two spellings",
       with_tlvs("{0xe3: a, 0xE3: b}"),
       {"2:38: error: listeners[0].routes[0].match.tlv.0xE3: \"0xE3\" is given twice"}},
      {"too many",
       with_tlvs("{0x41: a, 0x42: a, 0x43: a, 0x44: a, 0x45: a, 0x46: a, 0x47: a, 0x48: a, 0x49: a}"),
       {"2:28: error: listeners[0].routes[0].match.tlv: too many entries"}},
      {"the same match twice, in another order and spelling",
       with_routes("{respond: {}, match: {tlv: {0xe3: a, alpn: h2}}},\n{respond: {}, match: {tlv: {0xe3: a}}},\n"
                   "{respond: {}, match: {tlv: {alpn: h2, 0xE3: '0x61'}}},\n{respond: {}}"),
       {"4:1: warning: listeners[0].routes[2]: this route can never match"}},
      {"a certificate that was not bad, for there was none",
       with_routes("{respond: {}, match: {tlv: {ssl_verify: 0, authority: a}}},\n"
                   "{respond: {}, match: {tlv: {ssl_verify: 0, ssl_cn: a}}},\n"
                   "{respond: {}, match: {tlv: {ssl_verify: 0, ssl_client: 3}}},\n"
                   "{respond: {}, match: {tlv: {ssl_verify: 1}}}"),
       {"2:28: warning: listeners[0].routes[0].match.tlv: `ssl_verify: 0` alone lets in clients without a certificate: "
        "some senders say 0 for them too"}},
      {"nobody may send a PROXY header",
       with_routes("{respond: {}, match: {tlv: {alpn: h2}}}", "ignore"),
       {"2:1: warning: listeners[0].routes[0]: this route can never match"}},
  };
  expect(cases);
}

}  // namespace
}  // namespace telltale::conf
