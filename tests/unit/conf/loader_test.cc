#include "conf/loader.h"

#include "tests/unit/conf/examples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

using testing::ElementsAreArray;

std::optional<std::string> environment(std::string_view name) {
  if (name == "PORT") return "9090";
  if (name == "CLIENTS") return "192.0.2.0/24";
  if (name == "BAD") return "x\ny";
  if (name == "LATIN1") return "caf\xe9";
  return std::nullopt;
}

/// `line:column: severity: path: message` of each finding.
std::vector<std::string> findings(const std::string& text) {
  std::vector<std::string> out;
  for (const Diagnostic& d : load_text(text, environment).diagnostics) {
    out.push_back(std::to_string(d.line) + ":" + std::to_string(d.column) + ": " +
                  (d.severity == Severity::error ? "error: " : "warning: ") + (d.path.empty() ? "" : d.path + ": ") +
                  d.message);
  }
  return out;
}

struct Case {
  const char* what;
  std::string text;
  std::vector<std::string> findings;
};

/// Line 1 of these files is free, a listener to a service follows.
constexpr std::string_view rest =
    "\nlisteners: [{listen: ':80', service: web}]\nservices: [{name: web, endpoints: [10.0.0.1:80]}]\n";
std::string with_top(std::string_view line) { return std::string(line).append(rest); }
std::string with_listener(std::string_view fields) {
  return "listeners:\n- {listen: ':80', service: web, " + std::string(fields) +
         "}\nservices: [{name: web, endpoints: [10.0.0.1:80]}]\n";
}
std::string with_route(std::string_view route) {
  return "listeners: [{listen: ':80', routes: [\n" + std::string(route) +
         "\n]}]\nservices: [{name: web, endpoints: [10.0.0.1:80]}, {name: other, endpoints: [10.0.0.2:80]}]\n";
}
std::string with_service(std::string_view fields) {
  return "listeners: [{listen: ':80', service: web}]\nservices:\n- {name: web, " + std::string(fields) + "}\n";
}

void expect(std::span<const Case> cases) {
  for (const Case& c : cases) EXPECT_THAT(findings(c.text), ElementsAreArray(c.findings)) << c.what << "\n" << c.text;
}

TEST(Loader, ReportsTheProcessFields) {
  const Case cases[] = {
      {"nothing wrong", with_top("workers: 4"), {}},
      {"not a map", "- 1\n", {"1:1: error: a map is wanted here, not a list"}},
      {"a word alone", "hello\n", {"1:1: error: a map is wanted here, not a single value"}},
      {"no listeners", "services: []\n", {"1:1: error: the field \"listeners\" is missing"}},
      {"empty listeners", "listeners: []\n", {"1:12: error: listeners: there is no listener: nothing would be served"}},
      {"listeners that are no list",
       "listeners: {listen: ':80'}\n",
       {"1:12: error: listeners: a list is wanted here, not a map"}},
      {"no value", with_top("workers:"), {"1:1: error: workers: has no value"}},
      {"an unknown field", with_top("wrokers: 4"), {"1:1: error: wrokers: unknown field \"wrokers\""}},
      {"an unknown field that would clear the screen",
       with_top("\"\\e[2J\": 4"),
       {"1:1: error: \"\\x1b[2J\": unknown field \"\\x1b[2J\""}},
      {"a word for a number", with_top("workers: many"), {"1:10: error: workers: \"many\" is not a whole number"}},
      {"a number out of range", with_top("workers: 0"), {"1:10: error: workers: \"0\" is out of range"}},
      {"auto", with_top("workers: auto"), {}},
      {"a list for a number",
       with_top("workers: [1]"),
       {"1:10: error: workers: `auto`, or integer, 1 to 1024 is wanted here, not a list"}},
      {"admin off", with_top("admin: off"), {}},
      {"admin false, as YAML 1.1 writes off", with_top("admin: false"), {}},
      {"admin a word", with_top("admin: none"), {"1:8: error: admin: \"none\" is not off, nor a map"}},
      {"admin for everybody",
       with_top("admin: {listen: ':9901'}"),
       {"1:17: warning: admin.listen: the admin server can be reached from other machines, and has no authentication"}},
      {"admin where a listener is", with_top("admin: {listen: '127.0.0.1:80'}") + "\n", {}},
      {"log level",
       with_top("log: {level: verbose}"),
       {"1:14: error: log.level: \"verbose\" is not one of trace, debug, info, warn, error, off"}},
      {"text without a template",
       with_top("access_log: {format: text}"),
       {"1:13: error: access_log.text: `format: text` needs its template"}},
      {"a template without text",
       with_top("access_log: {text: x}"),
       {"1:20: error: access_log.text: a template is only for `format: text`"}},
      {"a template's variables are its own", with_top("access_log: {format: text, text: '${client} $$ $'}"), {}},
      {"an unknown one",
       with_top("access_log: {format: text, text: '${clint} ${nope}'}"),
       {"1:35: error: access_log.text: there is no variable \"clint\"",
        "1:44: error: access_log.text: there is no variable \"nope\""}},
      {"received TLVs",
       with_top("access_log: {format: text, text: '${tlv.ssl_cn} ${tlv.0xE3} ${tlv.ssl_cm} ${tlv.}'}"),
       {"1:61: error: access_log.text: there is no TLV \"ssl_cm\"",
        "1:75: error: access_log.text: there is no TLV \"\""}},
      {"one that is not closed",
       with_top("access_log: {format: text, text: '${client'}"),
       {"1:35: error: access_log.text: a `${` without its `}`"}},
      {"a template of two lines",
       with_top("access_log: {format: text, text: \"a\\nb\"}"),
       {"1:34: error: access_log.text: a template is one line"}},
      {"durations",
       with_top("drain: {delay: 5, grace: 48h}"),
       {"1:16: error: drain.delay: \"5\" has no unit", "1:26: error: drain.grace: \"48h\" is out of range"}},
      {"a later version's",
       with_top("tracing: {}"),
       {"1:1: error: tracing: \"tracing\" is not supported in this version"}},
      {"duplicate key", with_top("workers: 1\nworkers: 2"), {"2:1: error: the field \"workers\" is given twice"}},
  };
  expect(cases);
}

TEST(Loader, ReportsListeners) {
  const Case cases[] = {
      {"nothing given",
       "listeners: [{}]\n",
       {"1:13: error: listeners[0]: the field \"listen\" is missing",
        "1:13: error: listeners[0]: one of service or routes is wanted here"}},
      {"nothing at all",
       "listeners:\n  -\n  - 5\n",
       {"3:3: error: listeners[0]: the field \"listen\" is missing",
        "3:3: error: listeners[0]: one of service or routes is wanted here",
        "3:5: error: listeners[1]: a map is wanted here, not a single value"}},
      {"both service and routes",
       with_listener("routes: [{service: web}]"),
       {"2:41: error: listeners[0].routes: only one of service or routes can be given, not service and routes"}},
      {"TCP",
       with_listener("protocol: tcp"),
       {"2:43: error: listeners[0].protocol: \"tcp\" is not http, the only choice in this version"}},
      {"a mode without a socket",
       with_listener("unix_mode: '0600'"),
       {"2:44: warning: listeners[0].unix_mode: has no effect: this listener is not a Unix socket"}},
      {"no routes",
       "listeners: [{listen: ':80', routes: []}]\n",
       {"1:37: error: listeners[0].routes: there is no route: every request would get 404"}},
      {"a missing service",
       "listeners: [{listen: ':80', service: web}]\n",
       {"1:38: error: listeners[0].service: there is no service \"web\""}},
      {"the same address twice",
       "listeners:\n- {listen: ':80', service: web}\n- {listen: '0.0.0.0:80', service: web}\n"
       "services: [{name: web, endpoints: [10.0.0.1:80]}]\n",
       {"3:12: error: listeners[1].listen: \"0.0.0.0:80\" is already listened on"}},
      {"port 0 twice is two ports",
       "listeners:\n- {listen: ':0', service: web}\n- {listen: ':0', service: web}\n"
       "services: [{name: web, endpoints: [10.0.0.1:80]}]\n",
       {}},
      {"the admin server's default",
       "listeners: [{listen: '127.0.0.1:9901', service: web}]\n"
       "services: [{name: web, endpoints: [10.0.0.1:80]}]\n",
       {"1:22: error: listeners[0].listen: \"127.0.0.1:9901\" is already listened on"}},
      {"the same name twice",
       "listeners:\n- {name: a, listen: ':80', service: web}\n- {name: a, listen: ':81', service: web}\n"
       "services: [{name: web, endpoints: [10.0.0.1:80]}]\n",
       {"3:10: error: listeners[1].name: there is another listener \"a\""}},
      {"the name of one without",
       "listeners:\n- {name: listener-2, listen: ':80', service: web}\n- {listen: ':81', service: web}\n"
       "services: [{name: web, endpoints: [10.0.0.1:80]}]\n",
       {"2:10: error: listeners[0].name: there is another listener \"listener-2\""}},
      {"limits",
       with_listener("limits: {max_head_bytes: 1, max_fields: 0, underscores: keep}"),
       {"2:58: error: listeners[0].limits.max_head_bytes: \"1\" is out of range",
        "2:73: error: listeners[0].limits.max_fields: \"0\" is out of range",
        "2:89: error: listeners[0].limits.underscores: \"keep\" is not one of pass, drop, reject"}},
      {"an object with nothing below", with_listener("limits: , timeouts: ~"), {}},
      {"TLS is for later",
       with_listener("tls: {}"),
       {"2:33: error: listeners[0].tls: \"tls\" is not supported in this version"}},
  };
  expect(cases);
}

TEST(Loader, ReportsWhoTheClientIs) {
  const auto with_ip = [](std::string_view fields) {
    return with_listener("client_ip: {\n" + std::string(fields) + "}");
  };
  const Case cases[] = {
      {"everyone trusted",
       with_ip("trusted: [10.0.0.0/16, 0.0.0.0/0, '::/0']"),
       {"3:24: warning: listeners[0].client_ip.trusted[1]: 0.0.0.0/0 trusts everyone: any client can say who it is",
        "3:35: warning: listeners[0].client_ip.trusted[2]: ::/0 trusts everyone: any client can say who it is",
        "3:11: warning: listeners[0].client_ip.trusted[0]: 10.0.0.0/16 holds a backend of the service \"web\" "
        "(10.0.0.1): who gets hold of a backend can say who the client is"}},
      {"PROXY from everyone",
       with_ip("proxy_protocol: [{from: [0.0.0.0/0], policy: accept}, "
               "{from: ['::/0'], policy: require}, {from: [0.0.0.0/0], policy: ignore}]"),
       {"3:26: warning: listeners[0].client_ip.proxy_protocol[0].from[0]: `accept` for 0.0.0.0/0: anyone who can "
        "connect can say who the client is",
        "3:63: warning: listeners[0].client_ip.proxy_protocol[1].from[0]: `require` for ::/0: anyone who can connect "
        "can say who the client is"}},
      {"a rule without fields",
       with_ip("proxy_protocol: [{}]"),
       {"3:18: error: listeners[0].client_ip.proxy_protocol[0]: the field \"from\" is missing",
        "3:18: error: listeners[0].client_ip.proxy_protocol[0]: the field \"policy\" is missing"}},
      {"a rule for nobody",
       with_ip("proxy_protocol: [{from: [], policy: accept}]"),
       {"3:25: error: listeners[0].client_ip.proxy_protocol[0].from: this rule is for nobody"}},
      {"a range alone",
       with_ip("trusted: 10.0.0.0/8"),
       {"3:10: error: listeners[0].client_ip.trusted: a list is wanted here"}},
      {"ranges, each by itself",
       with_ip("trusted: [10.0.0.1/8, unix, everyone, [], 192.0.2.1]"),
       {"3:11: error: listeners[0].client_ip.trusted[0]: \"10.0.0.1/8\" has bits set beyond its prefix",
        "3:29: error: listeners[0].client_ip.trusted[2]: \"everyone\" is not an address range",
        "3:39: error: listeners[0].client_ip.trusted[3]: list of address ranges, or `unix` is wanted here, not a "
        "list"}},
      {"a header nobody may send",
       with_ip("header: forwarded"),
       {"3:9: warning: listeners[0].client_ip.header: nobody is in `trusted`, so this header is never believed"}},
      {"hops of no header",
       with_ip("header: none, trusted_hops: 1, trusted: [192.0.2.1]"),
       {"3:29: error: listeners[0].client_ip.trusted_hops: there are no hops to count with `header: none`"}},
      {"hops of one address",
       with_ip("header: X-Real-IP, trusted_hops: 1, trusted: [192.0.2.1]"),
       {"3:34: error: listeners[0].client_ip.trusted_hops: \"x-real-ip\" holds one address, not a list of hops"}},
      {"hops of nobody",
       with_ip("trusted_hops: 2"),
       {"3:15: error: listeners[0].client_ip.trusted_hops: the peer must be in `trusted`, and nobody is"}},
      {"headers that hold no client",
       with_ip("header: Host, trusted: [192.0.2.1]"),
       {"3:9: error: listeners[0].client_ip.header: \"Host\" does not hold a client's address"}},
      {"nor this",
       with_ip("header: x_forwarded_proto, trusted: [192.0.2.1]"),
       {"3:9: error: listeners[0].client_ip.header: \"x_forwarded_proto\" does not hold a client's address"}},
      {"no header name",
       with_ip("header: 'x y', trusted: [192.0.2.1]"),
       {"3:9: error: listeners[0].client_ip.header: \"x y\" is not a header name"}},
      {"more identity headers",
       with_ip("identity_headers: [X-Mine, 'a b', Content-Length]"),
       {"3:19: error: listeners[0].client_ip.identity_headers: \"a b\" is not a header name",
        "3:19: error: listeners[0].client_ip.identity_headers: \"Content-Length\" cannot be removed: requests need "
        "it"}},
      {"bounds",
       with_ip("proxy_header_count: 0, proxy_max_header_bytes: 1MiB, proxy_header_timeout: 0s"),
       {"3:21: error: listeners[0].client_ip.proxy_header_count: \"0\" is out of range",
        "3:48: error: listeners[0].client_ip.proxy_max_header_bytes: \"1MiB\" is out of range",
        "3:76: error: listeners[0].client_ip.proxy_header_timeout: \"0s\" is out of range"}},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(findings(c.text), testing::UnorderedElementsAreArray(c.findings)) << c.what << "\n" << c.text;
  }
}

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

TEST(Loader, ReportsServices) {
  const Case cases[] = {
      {"no name",
       "listeners: [{listen: ':80', routes: [{respond: {}}]}]\nservices: [{endpoints: [10.0.0.1:80]}]\n",
       {"2:12: error: services[0]: the field \"name\" is missing"}},
      {"nothing that serves",
       with_service("retries: 1"),
       {"3:3: error: services[0]: this service has nothing that serves"}},
      {"the same name",
       with_service("endpoints: [10.0.0.1:80]}\n- {name: web, endpoints: [10.0.0.2:80]"),
       {"4:10: error: services[1].name: there is another service \"web\""}},
      {"the address of a node",
       with_service("port: 80, nodes: [{address: 10.0.0.1}, {address: 10.0.0.300}]"),
       {"3:64: error: services[0].nodes[1].address: \"10.0.0.300\" is not an IP address or host name"}},
      {"a node's host name",
       with_service("port: 80, nodes: [{address: node-a.example}]"),
       {"3:43: error: services[0].nodes[0].address: \"node-a.example\" is a host name; only IP addresses can be used "
        "in this version"}},
      {"a misspelt field",
       with_service("port: 80, nodes: [{adress: 10.0.0.1}]"),
       {"3:34: error: services[0].nodes[0].adress: unknown field \"adress\""}},
      {"nodes without a port",
       with_service("nodes: [{address: 10.0.0.1}, {address: 10.0.0.2, port: 80}, "
                    "{address: 10.0.0.3, endpoints: [10.0.0.4:80]}]"),
       {"3:23: error: services[0].nodes[0]: there is no port to send its traffic to"}},
      {"two nodes of one name",
       with_service("port: 80, nodes: [{name: a, address: 10.0.0.1}, {name: a, address: 10.0.0.2}]"),
       {"3:63: error: services[0].nodes[1]: there is another node \"a\" in this service"}},
      {"endpoints",
       with_service("endpoints: [10.0.0.1, ':80', 10.0.0.1:0, {}, {address: web:80}, unix:/x]"),
       {"3:27: error: services[0].endpoints[0]: \"10.0.0.1\" has no port",
        "3:37: error: services[0].endpoints[1]: \"[::]:80\" says no host",
        "3:44: error: services[0].endpoints[2]: \"10.0.0.1:0\" has port 0: nothing can be reached there",
        "3:56: error: services[0].endpoints[3]: the field \"address\" is missing",
        "3:70: error: services[0].endpoints[4].address: \"web:80\" is a host name; an address must be numeric in this "
        "version"}},
      {"an endpoint twice",
       with_service("endpoints: [10.0.0.1:80, {address: 10.0.0.1:80, weight: 2}]"),
       {"3:40: warning: services[0].endpoints[1]: \"10.0.0.1:80\" is listed twice in this service"}},
      {"no weight at all",
       with_service("endpoints: [{address: 10.0.0.1:80, weight: 0}]"),
       {"3:3: error: services[0]: every weight in this service is 0: nothing serves"}},
      {"local without a probe",
       with_service("external_traffic_policy: local, port: 80, nodes: [{address: 10.0.0.1}]"),
       {"3:40: warning: services[0].external_traffic_policy: without `health` every node counts as having endpoints of "
        "its own"}},
      {"a health port without a probe",
       with_service("port: 80, nodes: [{address: 10.0.0.1, health_port: 81}]"),
       {"3:33: warning: services[0].nodes[0]: `health_port` has no effect: the service has no `health`"}},
      {"a tcp probe with an http probe's fields",
       with_service("endpoints: [10.0.0.1:80], health: {tcp: true, http: /x, host: y, strict: true, weight: probe}"),
       {"3:67: error: services[0].health.http: is only for a probe by `http`",
        "3:77: error: services[0].health.host: is only for a probe by `http`",
        "3:88: error: services[0].health.strict: is only for a probe by `http`",
        "3:102: error: services[0].health.weight: is only for a probe by `http`"}},
      {"a probe's path",
       with_service("endpoints: [10.0.0.1:80], health: {http: healthz}"),
       {"3:56: error: services[0].health.http: \"healthz\" is not a path"}},
      {"a probe with its defaults", with_service("endpoints: [10.0.0.1:80], health: "), {}},
      {"PROXY at a health port",
       with_service("port: 80, nodes: [{address: 10.0.0.1}], health: {port: 10256, send_proxy: true}"),
       {"3:63: warning: services[0].health: `send_proxy` to a port that is not the serving port: kube-proxy's health "
        "port does not speak it"}},
      {"PROXY at the serving port", with_service("endpoints: [10.0.0.1:80], health: {port: 80, send_proxy: v1}"), {}},
      {"PROXY for requests and not for probes",
       with_service("endpoints: [10.0.0.1:80], health: {}, propagate: {proxy_protocol: v2}"),
       {"3:49: warning: services[0].health: the backends are sent a PROXY header and the probes of the same port are "
        "not: one that requires it refuses them"}},
      {"decided",
       with_service("endpoints: [10.0.0.1:80], health: {send_proxy: false}, propagate: {proxy_protocol: v2}"),
       {}},
      {"TLVs without v2",
       with_service("endpoints: [10.0.0.1:80], propagate: {tlvs: [authority], proxy_protocol: v1}"),
       {"3:59: error: services[0].propagate.tlvs: only a PROXY header of version 2 has TLVs"}},
      {"TLVs",
       with_service("endpoints: [10.0.0.1:80], propagate: {proxy_protocol: v2, tlvs: [alpn, sll, alpn, noop]}"),
       {"3:86: error: services[0].propagate.tlvs[1]: \"sll\" is not one of authority, alpn, unique_id, crc32c, ssl, "
        "netns",
        "3:91: error: services[0].propagate.tlvs[2]: \"alpn\" is given twice",
        "3:97: error: services[0].propagate.tlvs[3]: \"noop\" is not one of authority, alpn, unique_id, crc32c, ssl, "
        "netns"}},
      {"TLVs that go on",
       "listeners: [{listen: ':80', service: web, client_ip: {proxy_protocol: [{from: [192.0.2.1], policy: "
       "accept}]}}]\n"
       "services: [{name: web, endpoints: [10.0.0.1:80], propagate: {proxy_protocol: v2, tlvs: [ssl, netns, crc32c], "
       "pass_tlvs: [authority, unique_id, alpn, aws_vpce_id, azure_link_id, gcp_psc_connection_id, 0xE3, 0x31]}}]",
       {}},
      {"TLVs that would go on, but cannot come",
       with_service("endpoints: [10.0.0.1:80], propagate: {proxy_protocol: v2, tlvs: [alpn], pass_tlvs: [0xE3]}"),
       {"3:98: warning: services[0].propagate.pass_tlvs: no received TLV can go on: no listener that leads here lets "
        "anybody send a PROXY header"}},
      {"likewise of TLS",
       with_service("endpoints: [10.0.0.1:80], propagate: {proxy_protocol: v2, tlvs: [crc32c, ssl]}"),
       {"3:79: warning: services[0].propagate.tlvs: no received TLV can go on: no listener that leads here lets "
        "anybody "
        "send a PROXY header"}},
      {"TLVs that cannot go on",
       with_service("endpoints: [10.0.0.1:80], propagate: {proxy_protocol: v2, tlvs: [alpn, ssl], pass_tlvs: [\n"
                    "aws, ssl,\nssl_cn, crc32c, 0x04,\n0x01, 0x20,\n0xe3, 0xE3]}"),
       {"3:103: warning: services[0].propagate.pass_tlvs: no received TLV can go on: no listener that leads here lets "
        "anybody send a PROXY header",
        "4:1: error: services[0].propagate.pass_tlvs[0]: \"aws\" is not the name of a TLV",
        "4:6: error: services[0].propagate.pass_tlvs[1]: \"ssl\" is not the name of a TLV",
        "5:1: error: services[0].propagate.pass_tlvs[2]: \"ssl_cn\" is a part of the SSL TLV, which goes on as a whole",
        "5:9: error: services[0].propagate.pass_tlvs[3]: \"crc32c\" is of the header that it came in, and never goes "
        "on",
        "5:17: error: services[0].propagate.pass_tlvs[4]: \"0x04\" is of the header that it came in, and never goes on",
        "6:1: error: services[0].propagate.pass_tlvs[5]: \"0x01\" is written by `tlvs` already",
        "6:7: error: services[0].propagate.pass_tlvs[6]: \"0x20\" is written by `tlvs` already",
        "7:7: error: services[0].propagate.pass_tlvs[8]: \"0xE3\" is given twice"}},
      {"TLVs that go on, and padding, without v2",
       with_service("endpoints: [10.0.0.1:80], propagate: {\npass_tlvs: [alpn],\ntlv_padding: 8}"),
       {"4:12: error: services[0].propagate.pass_tlvs: only a PROXY header of version 2 has TLVs",
        "5:14: error: services[0].propagate.tlv_padding: only a PROXY header of version 2 has TLVs"}},
      {"padding",
       with_service("endpoints: [10.0.0.1:80], propagate: {proxy_protocol: v2, tlv_padding: 4096}"),
       {"3:86: error: services[0].propagate.tlv_padding: \"4096\" is out of range"}},
      {"pass",
       with_service("endpoints: [10.0.0.1:80], propagate: {x_forwarded_for: pass, forwarded: pass}"),
       {"3:70: warning: services[0].propagate.x_forwarded_for: `pass` lets through whatever a client wrote, forged or "
        "not",
        "3:87: warning: services[0].propagate.forwarded: `pass` lets through whatever a client wrote, forged or not"}},
      {"forwarded",
       with_service("endpoints: [10.0.0.1:80], propagate: {forwarded: {parameters: []}}"),
       {"3:64: error: services[0].propagate.forwarded: the field \"mode\" is missing",
        "3:77: error: services[0].propagate.forwarded.parameters: an element must say something"}},
      {"booleans",
       with_service("endpoints: [10.0.0.1:80], propagate: {via: yes, x_real_ip: maybe}"),
       {"3:58: error: services[0].propagate.via: \"yes\" is not true or false",
        "3:74: error: services[0].propagate.x_real_ip: \"maybe\" is not true or false"}},
      {"more than one retry",
       with_service("endpoints: [10.0.0.1:80], retries: 2"),
       {"3:50: error: services[0].retries: \"2\" is out of range"}},
      {"a later version's",
       with_service("endpoints: [10.0.0.1:80], session_affinity: client_ip, node_name: x"),
       {"3:41: error: services[0].session_affinity: \"session_affinity\" is not supported in this version",
        "3:70: error: services[0].node_name: \"node_name\" is not supported in this version"}},
  };
  expect(cases);
}

TEST(Loader, ExpandsTheEnvironmentInValuesOnly) {
  const Case cases[] = {
      {"a number", with_service("endpoints: [\"10.0.0.1:${PORT}\"], retries: \"${RETRIES:-0}\""), {}},
      {"not in keys", with_top("${PORT}: 1"), {"1:1: error: \"${PORT}\": unknown field \"${PORT}\""}},
      {"not set",
       with_service("endpoints: [\"10.0.0.1:${NONE}\"]"),
       {"3:27: error: services[0].endpoints[0]: the environment variable \"NONE\" is not set"}},
      {"what is put in is checked",
       with_listener("client_ip: {trusted: [\"${CLIENTS}\"]}, name: \"${BAD}\""),
       {"2:77: error: listeners[0].name: \"x\\ny\" has control characters"}},
      {"and must be UTF-8",
       with_listener("name: \"${LATIN1}\""),
       {"2:39: error: listeners[0].name: an environment variable in it is not UTF-8 text"}},
      {"in braces without quotes", "listeners: [{listen: :${PORT}, service: web}]\n", {}},
  };
  for (const Case& c : std::span(cases).first(5)) {
    EXPECT_THAT(findings(c.text), ElementsAreArray(c.findings)) << c.what << "\n" << c.text;
  }
  const auto unquoted = load_text(cases[5].text, environment);
  ASSERT_EQ(unquoted.diagnostics.size(), 1u);
  EXPECT_EQ(unquoted.diagnostics[0].hint, "within { } or [ ] a variable goes in double quotes: \"${NAME}\"");
}

TEST(Loader, HintsSayWhatWouldBeRight) {
  struct Hint {
    const char* what;
    std::string text;
    const char* hint;
  };
  const Hint hints[] = {
      {"a misspelt field", with_top("max_conections: 5"), "did you mean \"max_connections\"?"},
      {"in another style", with_service("endpoints: [10.0.0.1:80], externalTrafficPolicy: local"),
       "did you mean \"external_traffic_policy\"?"},
      {"nothing near", with_top("zebra: 5"),
       "the fields here are workers, max_connections, admin, log, access_log, drain, listeners and services"},
      {"a misspelt word", with_listener("limits: {underscores: rejct}"), "did you mean \"reject\"?"},
      {"a misspelt service",
       with_route("{service: web},{match: {path: /y}, service: ohter},{match: {path: /x}, service: other}"),
       "did you mean \"other\"?"},
      {"a port", with_service("nodes: [{address: 10.0.0.1}]"),
       "add `port:` to the service (for all of its nodes) or to the node, or list the node's `endpoints`"},
      {"yes", with_service("endpoints: [10.0.0.1:80], propagate: {via: yes}"), "write true"},
      {"no list", with_listener("client_ip: {trusted: 10.0.0.0/8}"), "write [\"10.0.0.0/8\"]"},
  };
  for (const Hint& h : hints) {
    const LoadResult result = load_text(h.text);
    ASSERT_FALSE(result.diagnostics.empty()) << h.what;
    EXPECT_EQ(result.diagnostics[0].hint, h.hint) << h.what;
  }
}

TEST(Loader, GivesAModelExactlyWhenThereIsNoError) {
  EXPECT_TRUE(load_text(with_top("")).model);
  const LoadResult warned = load_text(with_top("admin: {listen: ':9901'}"));
  EXPECT_TRUE(warned.model);
  EXPECT_TRUE(warned.has_warnings());
  EXPECT_FALSE(warned.has_errors());
  const LoadResult wrong = load_text(with_top("x: 1"));
  EXPECT_FALSE(wrong.model);
  EXPECT_TRUE(wrong.has_errors());
  EXPECT_FALSE(load_text("").model);
}

TEST(Loader, ReadsAByteOrderMarkAndJson) {
  EXPECT_TRUE(load_text("\xef\xbb\xbf" + with_top("")).model);
  EXPECT_TRUE(load_text("{\"listeners\": [{\"listen\": \":80\", \"service\": \"web\"}],\n"
                        " \"services\": [{\"name\": \"web\", \"endpoints\": [\"10.0.0.1:80\"], \"retries\": 1}]}")
                  .model);
}

TEST(Loader, SharesAnchoredValuesAndReportsTheirErrorsOnce) {
  const std::string text =
      "listeners: [{listen: ':80', routes: [{service: a}, {match: {path: /b}, service: b}]}]\n"
      "services:\n"
      "- {name: a, endpoints: [10.0.0.1:80], pool: &pool {max_idle: 7}}\n"
      "- {name: b, endpoints: [10.0.0.2:80], pool: {<<: *pool, idle_timeout: 9s}}\n";
  const LoadResult result = load_text(text);
  ASSERT_TRUE(result.model) << render(result, "x");
  EXPECT_EQ(result.model->services[1].pool.max_idle, 7u);
  EXPECT_EQ(result.model->services[1].pool.idle_timeout.count(), 9000);
}

TEST(Loader, FindingsAreBounded) {
  std::string text = "listeners:\n";
  for (int i = 0; i < 20'000; ++i) text += "- {bad: 1}\n";
  const LoadResult result = load_text(text);
  EXPECT_EQ(result.diagnostics.size(), 10'001u);
  EXPECT_EQ(result.diagnostics.back().message, "more than 10000 findings; the rest is not shown");
  EXPECT_FALSE(result.model);
}

TEST(Loader, AFileThatCannotBeReadIsAFinding) {
  const LoadResult missing = load_file("/nonexistent/telltale.yaml");
  EXPECT_FALSE(missing.model);
  EXPECT_EQ(render(missing, "x.yaml"), "x.yaml: error: cannot be read: No such file or directory\n");
  EXPECT_EQ(render(load_file("/"), "/"), "/: error: cannot be read: Is a directory\n");
}

TEST(Loader, LoadsTenThousandRoutesAndEndpoints) {
  std::string text = "listeners:\n- listen: ':80'\n  routes:\n";
  for (int i = 0; i < 10'000; ++i) {
    const std::string n = std::to_string(i);
    text += "  - {match: {host: h" + n + ".example.com, path: /api/" + n + "}, service: s" + std::to_string(i % 100) +
            "}\n";
  }
  text += "services:\n";
  for (int s = 0; s < 100; ++s) {
    text += "- name: s" + std::to_string(s) + "\n  endpoints:\n";
    for (int e = 0; e < 100; ++e) text += "  - 10.1." + std::to_string(s) + "." + std::to_string(e + 1) + ":80\n";
  }
  const LoadResult result = load_text(text);
  ASSERT_TRUE(result.model) << render(result, "x").substr(0, 1000);
  EXPECT_TRUE(result.diagnostics.empty());
  EXPECT_EQ(result.model->listeners[0].routes.size(), 10'000u);
  EXPECT_EQ(*result.model->listeners[0].routes[9'999].service, 99u);
  EXPECT_EQ(result.model->services[99].endpoints[99].address.to_string(), "10.1.99.100:80");
}

TEST(Loader, SurvivesEveryFileCutAtEveryOctet) {
  for (const Example& example : read_examples()) {
    for (std::size_t size = 0; size < example.text.size(); size += example.text.size() > 2000 ? 7 : 1) {
      const LoadResult result = load_text(example.text.substr(0, size));
      EXPECT_EQ(result.model == nullptr, result.has_errors()) << example.name << " cut at " << size;
      render(result, example.name);
    }
  }
}

}  // namespace
}  // namespace telltale::conf
