#include "tests/unit/conf/findings.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

using namespace test;

std::string with_tls(const std::string& fields, const std::string& more = {}) {
  return with_listener("tls: {certificates: [{certificate: /a.pem, key: /a.key}]" +
                       (fields.empty() ? "" : ", " + fields) + "}" + more);
}

TEST(ListenerTls, SaysWhatIsWrong) {
  const Case cases[] = {
      {"the least", with_tls(""), {}},
      {"all", with_tls("policy: modern, alpn: [http/1.1, http/1.0], handshake_timeout: 2s"), {}},
      {"one file for both", with_listener("tls: {certificates: [{certificate: /a.pem, key: /a.pem}]}"), {}},
      {"nothing in it",
       with_listener("tls: {}"),
       {"2:38: error: listeners[0].tls: the field \"certificates\" is missing"}},
      {"no certificate",
       with_listener("tls: {certificates: []}"),
       {"2:53: error: listeners[0].tls.certificates: there is none: no client could be served"}},
      {"no key",
       with_listener("tls: {certificates: [{certificate: /a.pem}]}"),
       {"2:54: error: listeners[0].tls.certificates[0]: the field \"key\" is missing"}},
      {"relative paths",
       with_listener("tls: {certificates: [{certificate: a.pem, key: a.key}]}"),
       {"2:68: error: listeners[0].tls.certificates[0].certificate: \"a.pem\" is not an absolute path",
        "2:80: error: listeners[0].tls.certificates[0].key: \"a.key\" is not an absolute path"}},
      {"the same one twice",
       with_listener("tls: {certificates: [{certificate: /a, key: /b}, {certificate: /a, key: /b}]}"),
       {"2:96: warning: listeners[0].tls.certificates[1].certificate: \"/a\" is listed twice"}},
      {"an unknown policy",
       with_tls("policy: old"),
       {"2:99: error: listeners[0].tls.policy: \"old\" is not one of intermediate, modern"}},
      {"a protocol that is not spoken",
       with_tls("alpn: [h2, http/1.1]"),
       {"2:97: error: listeners[0].tls.alpn: \"h2\" is not spoken here"}},
      {"any protocol in TCP mode", with_tls("alpn: [h2, postgresql]", ", protocol: tcp"), {}},
      {"a name that is too long",
       with_tls("alpn: [" + std::string(256, 'a') + "]", ", protocol: tcp"),
       {"2:97: error: listeners[0].tls.alpn: \"" + std::string(80, 'a') + "…\" is not the name of a protocol"}},
      {"no time at all",
       with_tls("handshake_timeout: 0s"),
       {"2:110: error: listeners[0].tls.handshake_timeout: \"0s\" is out of range"}},
  };
  expect(cases);
}

TEST(ListenerTls, FilesThatAreFollowedHaveAbsolutePaths) {
  const auto with_ocsp = [](const std::string& file) {
    return with_listener("tls: {certificates: [{certificate: /a.pem, key: /a.key, ocsp: " + file + "}]}");
  };
  const Case cases[] = {
      {"a response to staple", with_ocsp("/a.ocsp"), {}},
      {"a relative one",
       with_ocsp("a.ocsp"),
       {"2:95: error: listeners[0].tls.certificates[0].ocsp: \"a.ocsp\" is not an absolute path"}},
      {"ticket keys", with_tls("ticket_key_file: /etc/tickets"), {}},
      {"relative ones",
       with_tls("ticket_key_file: tickets"),
       {"2:108: error: listeners[0].tls.ticket_key_file: \"tickets\" is not an absolute path"}},
  };
  expect(cases);
}

TEST(ListenerTls, StrictTransportSecurity) {
  const std::string of_preload =
      "error: listeners[0].tls.hsts.preload: browsers build it in only with `include_subdomains` and a `max_age` of "
      "8760h or more";
  const Case cases[] = {
      {"the least", with_tls("hsts: {}"), {}},
      {"all", with_tls("hsts: {max_age: 17520h, include_subdomains: true, preload: true}"), {}},
      {"to be forgotten", with_tls("hsts: {max_age: 0s}"), {}},
      {"to be built in without subdomains", with_tls("hsts: {preload: true}"), {"2:107: " + of_preload}},
      {"to be built in for a day",
       with_tls("hsts: {preload: true, include_subdomains: true, max_age: 24h}"),
       {"2:107: " + of_preload}},
      {"for ever",
       with_tls("hsts: {max_age: 100000h}"),
       {"2:107: error: listeners[0].tls.hsts.max_age: \"100000h\" is out of range"}},
      {"without responses",
       with_tls("hsts: {}", ", protocol: tcp"),
       {"2:97: error: listeners[0].tls.hsts: `protocol: tcp` has no responses"}},
  };
  expect(cases);
}

TEST(ListenerTls, SaysWhatIsWrongWithClientCertificates) {
  const auto clients = [](const std::string& fields) { return with_tls("client_certificates: {" + fields + "}"); };
  const std::string place = "listeners[0].tls.client_certificates";
  const Case cases[] = {
      {"the least", clients("ca: /ca.pem"), {}},
      {"all", clients("mode: optional, ca: /ca.pem, crl: /crl.pem, depth: 0"), {}},
      {"none", clients("mode: off, ca: /ca.pem"), {}},
      {"nobody to vouch", clients("mode: optional"), {"2:112: error: " + place + ": the field \"ca\" is missing"}},
      {"an unknown mode",
       clients("ca: /ca.pem, mode: maybe"),
       {"2:132: error: " + place + ".mode: \"maybe\" is not one of off, optional, required"}},
      {"relative paths",
       clients("ca: ca.pem, crl: crl.pem"),
       {"2:117: error: " + place + ".ca: \"ca.pem\" is not an absolute path",
        "2:130: error: " + place + ".crl: \"crl.pem\" is not an absolute path"}},
      {"too deep", clients("ca: /ca, depth: 17"), {"2:129: error: " + place + ".depth: \"17\" is out of range"}},
      {"an unknown field",
       clients("ca: /ca, verify: 2"),
       {"2:122: error: " + place + ".verify: unknown field \"verify\""}},
  };
  expect(cases);
}

TEST(ListenerTls, ClientCertificatesHaveDefaults) {
  const auto model = load_text(with_tls("client_certificates: {ca: /ca}")).model;
  ASSERT_NE(model, nullptr);
  const ListenerTls& tls = *model->listeners[0].tls;
  EXPECT_TRUE(tls.asks_for_certificate());
  EXPECT_EQ(tls.client_certificates->mode, ClientAuth::required);
  EXPECT_EQ(tls.client_certificates->depth, 4u);
  EXPECT_EQ(tls.client_certificates->crl_file, "");
  const auto off = load_text(with_tls("client_certificates: {ca: /ca, mode: off}")).model;
  EXPECT_FALSE(off->listeners[0].tls->asks_for_certificate());
}

TEST(ListenerTls, WhatIsToldOfCertificatesNeedsThem) {
  const auto file = [](std::string_view clients, std::string_view propagate) {
    return "listeners: [{listen: ':80', service: web, " + std::string(clients) +
           "}]\nservices:\n- name: web\n  endpoints: [10.0.0.1:80]\n  propagate:\n    " + std::string(propagate) + "\n";
  };
  const std::string server = "tls: {certificates: [{certificate: /a, key: /b}]";
  const std::string some = server + ", client_certificates: {ca: /ca, mode: optional}}";
  const std::string none = server + ", client_certificates: {ca: /ca, mode: off}}";
  const std::string trusted = "client_ip: {trusted: [192.0.2.0/24]}";
  const std::string header = "headers: {X-Subject: \"${tls.client_cert.subject}\"}";
  const std::string field =
      "warning: services[0].propagate.x_forwarded_client_cert: none is ever written: no listener "
      "that leads here asks for certificates";
  const Case cases[] = {
      {"a variable", file(some, header), {}},
      {"a variable without",
       file(none, header),
       {"6:14: warning: services[0].propagate.headers: ${tls.client_cert.…} in it never names one: no listener that "
        "leads here asks for certificates"}},
      {"the field", file(some, "x_forwarded_client_cert: replace"), {}},
      {"the field without", file(none, "x_forwarded_client_cert: replace"), {"6:30: " + field}},
      {"appended to nothing",
       file(none, "x_forwarded_client_cert: append"),
       {"6:30: " + field + ", or has `trusted` hops that could have sent one"}},
      {"appended to what trusted hops send", file(trusted, "x_forwarded_client_cert: append"), {}},
      {"replaced where trusted hops send one", file(trusted, "x_forwarded_client_cert: replace"), {"6:30: " + field}},
      {"an unknown mode",
       file(some, "x_forwarded_client_cert: pass"),
       {"6:30: error: services[0].propagate.x_forwarded_client_cert: \"pass\" is not one of off, append, replace"}},
  };
  expect(cases);
}

TEST(ListenerTls, HasDefaults) {
  const auto model = load_text(with_tls("")).model;
  ASSERT_NE(model, nullptr);
  const Listener& listener = model->listeners[0];
  EXPECT_EQ(listener.scheme(), "https");
  EXPECT_EQ(listener.tls->alpn, std::vector<std::string>{"http/1.1"});
  EXPECT_EQ(listener.tls->policy, TlsPolicy::intermediate);
  EXPECT_EQ(listener.tls->ticket_key_file, "");
  EXPECT_FALSE(listener.tls->hsts);
  const auto hsts = load_text(with_tls("hsts: {}")).model->listeners[0].tls->hsts;
  ASSERT_TRUE(hsts);
  EXPECT_EQ(hsts->max_age, std::chrono::hours(8760));
  EXPECT_FALSE(hsts->include_subdomains || hsts->preload);
  EXPECT_TRUE(load_text(with_tls("", ", protocol: tcp")).model->listeners[0].tls->alpn.empty());
  EXPECT_EQ(load_text(with_listener("internal: true")).model->listeners[0].scheme(), "http");
}

TEST(ListenerTls, WhatIsToldOfItNeedsIt) {
  const auto file = [](bool tls, std::string_view propagate) {
    return "listeners: [{listen: ':80', service: web" +
           std::string(tls ? ", tls: {certificates: [{certificate: /a, key: /b}]}" : "") +
           "}]\nservices:\n- name: web\n  endpoints: [10.0.0.1:80]\n  propagate:\n" + std::string(propagate);
  };
  const std::string header = "    headers: {X-Sni: \"${tls.sni}\"}\n";
  const std::string ssl = "    proxy_protocol: v2\n    tlvs: [ssl]\n";
  const std::string netns = "    proxy_protocol: v2\n    tlvs: [ssl, netns]\n";
  const std::string no_header = ": no listener that leads here lets anybody send a PROXY header";
  const Case cases[] = {
      {"a variable with TLS", file(true, header), {}},
      {"a variable without",
       file(false, header),
       {"6:14: warning: services[0].propagate.headers: ${tls.…} in it is always empty: no listener that leads here has "
        "`tls`"}},
      {"the TLV with TLS", file(true, ssl), {}},
      {"the TLV without",
       file(false, ssl),
       {"7:11: warning: services[0].propagate.tlvs: no received TLV can go on" + no_header}},
      {"another one, which TLS does not bring",
       file(true, netns),
       {"7:11: warning: services[0].propagate.tlvs: no received TLV can go on" + no_header}},
  };
  expect(cases);
}

std::string with_service_tls(const std::string& fields, const std::string& listener = {},
                             const std::string& service = {}) {
  return "listeners: [{listen: ':80', service: web" + listener +
         "}]\nservices:\n- name: web\n  endpoints: [10.0.0.1:443]\n" + "  tls: {" + fields + "}\n" + service;
}

TEST(ServiceTls, SaysWhatIsWrong) {
  const std::string own = "client_certificate: {certificate: /a.pem, key: /a.key}";
  const Case cases[] = {
      {"nothing in it", with_service_tls(""), {}},
      {"all", with_service_tls("sni: app.internal, verify: ca, ca: /ca.pem, alpn: [http/1.1], " + own), {}},
      {"a name that is none",
       with_service_tls("sni: 'app:443'"),
       {"5:14: error: services[0].tls.sni: \"app:443\" is not a host name"}},
      {"an unknown way to verify",
       with_service_tls("verify: some"),
       {"5:17: error: services[0].tls.verify: \"some\" is not one of full, ca, none"}},
      {"anybody",
       with_service_tls("verify: none"),
       {"5:17: warning: services[0].tls.verify: `none` lets anybody who answers at the address be the backend"}},
      {"anybody, by an authority",
       with_service_tls("verify: none, ca: /ca.pem"),
       {"5:27: warning: services[0].tls.ca: has no effect with `verify: none`"}},
      {"relative paths",
       with_service_tls("ca: ca.pem, client_certificate: {certificate: a.pem, key: a.key}"),
       {"5:13: error: services[0].tls.ca: \"ca.pem\" is not an absolute path",
        "5:55: error: services[0].tls.client_certificate.certificate: \"a.pem\" is not an absolute path",
        "5:67: error: services[0].tls.client_certificate.key: \"a.key\" is not an absolute path"}},
      {"no key",
       with_service_tls("client_certificate: {certificate: /a.pem}"),
       {"5:29: error: services[0].tls.client_certificate: the field \"key\" is missing"}},
      {"a protocol without a name", with_service_tls("alpn: ['']"), {"5:16: error: services[0].tls.alpn[0]: is empty"}},
      {"a protocol whose name is too long",
       with_service_tls("alpn: [" + std::string(256, 'a') + "]", ", protocol: tcp"),
       {"5:15: error: services[0].tls.alpn: \"" + std::string(80, 'a') + "…\" is not the name of a protocol"}},
      {"a protocol that requests are not sent in",
       with_service_tls("alpn: [http/1.1, h2]"),
       {"5:15: error: services[0].tls.alpn: \"h2\" is not spoken here, and the listener \"listener-1\" leads requests "
        "here"}},
      {"any protocol in TCP mode", with_service_tls("alpn: [h2, postgresql]", ", protocol: tcp"), {}},
      {"a probe in clear",
       with_service_tls("", "", "  health: {http: /}\n"),
       {"6:18: warning: services[0].health.http: the endpoints speak TLS (`tls` of the service), and this probe does "
        "not"}},
  };
  expect(cases);
}

TEST(ServiceTls, ProbesHaveItToo) {
  const std::string fields = "sni: a.internal, ca: /ca.pem, client_certificate: {certificate: /a.pem, key: /a.key}";
  const auto health = [&](const std::string& own) {
    return *load_text(with_service_tls(fields, "", "  health: {https: /" + own + "}\n")).model->services[0].health;
  };
  const BackendTls inherited = health("").tls;
  EXPECT_EQ(inherited.sni, "a.internal");
  EXPECT_EQ(inherited.ca_file, "/ca.pem");
  EXPECT_EQ(inherited.client_certificate->key, "/a.key");
  const BackendTls own = health(", tls: {ca: /other.pem}").tls;
  EXPECT_EQ(own.sni, "");
  EXPECT_EQ(own.ca_file, "/other.pem");
  EXPECT_EQ(own.client_certificate->key, "/a.key") << "whose answer it is, is one thing, who asks another";
}

}  // namespace
}  // namespace telltale::conf
