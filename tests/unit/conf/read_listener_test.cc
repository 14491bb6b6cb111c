#include "tests/unit/conf/findings.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

using namespace test;

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
      {"an unknown protocol",
       with_listener("protocol: udp"),
       {"2:43: error: listeners[0].protocol: \"udp\" is not one of http, tcp"}},
      {"TCP", with_listener("protocol: tcp"), {}},
      {"TCP routes with what requests have",
       "listeners: [{listen: ':80', protocol: tcp, routes: [\n"
       "{match: {host: a.example, path: /x}, service: web}, {match: {sni: b.example}, respond: {}},\n"
       "{match: {sni: '*.b.example', alpn: h2}, service: web}]}]\n"
       "services: [{name: web, endpoints: [10.0.0.1:80]}]\n",
       {"2:16: error: listeners[0].routes[0].match.host: a connection of `protocol: tcp` has no request that could be "
        "matched",
        "2:33: error: listeners[0].routes[0].match.path: a connection of `protocol: tcp` has no request that could be "
        "matched",
        "2:88: error: listeners[0].routes[1].respond: a connection of `protocol: tcp` has no request that could be "
        "answered"}},
      {"a request matched by what only connections have",
       "listeners: [{listen: ':80', routes: [{match: {sni: a.example, alpn: h2}, service: web}]}]\n"
       "services: [{name: web, endpoints: [10.0.0.1:80]}]\n",
       {"1:52: error: listeners[0].routes[0].match.sni: is only for `protocol: tcp`",
        "1:69: error: listeners[0].routes[0].match.alpn: is only for `protocol: tcp`"}},
      {"certificates that nobody asks for",
       "listeners: [{listen: ':80', routes: [{match: {client_cert: {subject: CN=a}}, service: web},\n"
       "{match: {client_cert: {}}, service: web}, {match: {client_cert: {verified: false, san: 'DNS:a'}}, service: "
       "web},\n"
       "{match: {client_cert: {fingerprint: 'ab:cd'}}, service: web}]}]\n"
       "services: [{name: web, endpoints: [10.0.0.1:80]}]\n",
       {"1:38: warning: listeners[0].routes[0]: this route can never match",
        "2:23: error: listeners[0].routes[1].match.client_cert: says nothing of the certificate",
        "2:76: error: listeners[0].routes[2].match.client_cert.verified: no certificate can be none and have what is "
        "asked for besides",
        "3:37: error: listeners[0].routes[3].match.client_cert.fingerprint: \"ab:cd\" is not the SHA-256 of a "
        "certificate"}},
      {"TCP with what requests have",
       with_listener("protocol: tcp, timeouts: {idle: 1s}, client_ip: {header: forwarded, trusted: [192.0.2.1]}"),
       {"2:58: warning: listeners[0].timeouts: \"idle\" has no effect with `protocol: tcp`",
        "2:81: warning: listeners[0].client_ip: \"header\" has no effect with `protocol: tcp`: there is no header but "
        "PROXY",
        "2:81: warning: listeners[0].client_ip: \"trusted\" has no effect with `protocol: tcp`: there is no header but "
        "PROXY"}},
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
        "can say who the client is",
        "3:90: warning: listeners[0].client_ip.proxy_protocol[2]: this rule can never match: the ones before it hold "
        "all "
        "of its addresses"}},
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
        "3:29: error: listeners[0].client_ip.trusted[2]: \"everyone\" is not an address range, nor a published list",
        "3:39: error: listeners[0].client_ip.trusted[3]: list of address ranges, names of published lists, or `unix` "
        "is "
        "wanted here, not a list"}},
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

}  // namespace
}  // namespace telltale::conf
