#include "tests/unit/proxy/health/checked.h"
#include "tests/unit/proxy/health/tls_node.h"

// Asio's TLS, which only the tests speak.
#include <boost/asio/ssl/impl/src.hpp>
#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

using namespace test;

conf::Health quick_https() {
  conf::Health health = quick(conf::ProbeKind::https);
  health.tls.verify = conf::TlsVerify::none;
  return health;
}

TEST(HttpsProbe, VerifiesAsItIsTold) {
  using enum ProbeOutcome;
  const Certificate authority({.common_name = "authority", .authority = true});
  const Certificate other({.common_name = "other", .authority = true});
  const Certificate both({.names = "DNS:app.internal,IP:127.0.0.1"}, authority);
  const Certificate wild({.names = "DNS:*.shop.internal"}, authority);
  const Certificate name_only({.common_name = "app.internal"}, authority);
  const Certificate expired({.names = "IP:127.0.0.1", .begins = -7200, .ends = -3600}, authority);
  const Certificate early({.names = "IP:127.0.0.1", .begins = 3600, .ends = 7200}, authority);
  const Certificate alone({.names = "IP:127.0.0.1"});
  const TemporaryFile ca(authority.pem()), other_ca(other.pem()), two_cas(other.pem() + authority.pem()), no_ca("none");
  constexpr auto full = conf::TlsVerify::full, chain = conf::TlsVerify::ca, none = conf::TlsVerify::none;
  struct Case {
    const char* description;
    const Certificate& certificate;
    const char *host, *sni;
    conf::TlsVerify verify;
    std::string ca_file;
    ProbeOutcome outcome;
    std::string reason;
  };
  const Case cases[] = {
      {"the address, which is the default host", both, "", "", full, ca.path(), healthy, "answered 200"},
      {"a name", both, "app.internal", "", full, ca.path(), healthy, "answered 200"},
      {"a name with a port", both, "app.internal:8443", "", full, ca.path(), healthy, "answered 200"},
      {"the name of the handshake goes before that of the request", both, "elsewhere", "app.internal", full, ca.path(),
       healthy, "answered 200"},
      {"a wildcard", wild, "app.shop.internal", "", full, ca.path(), healthy, "answered 200"},
      {"a wildcard is one label", wild, "a.b.shop.internal", "", full, ca.path(), unhealthy, "TLS: hostname mismatch"},
      {"one of several authorities", both, "", "", full, two_cas.path(), healthy, "answered 200"},
      {"another name", both, "web.internal", "", full, ca.path(), unhealthy, "TLS: hostname mismatch"},
      {"another name of the handshake", both, "app.internal", "web.internal", full, ca.path(), unhealthy,
       "TLS: hostname mismatch"},
      {"another address", both, "127.0.0.2", "", full, ca.path(), unhealthy, "TLS: IP address mismatch"},
      {"a name where the certificate has addresses", alone, "app.internal", "", full, "", unhealthy,
       "TLS: self-signed certificate"},
      {"no subjectAltName, but a common name", name_only, "app.internal", "", full, ca.path(), healthy, "answered 200"},
      {"another name, the chain alone", both, "web.internal", "", chain, ca.path(), healthy, "answered 200"},
      {"another authority", both, "", "", full, other_ca.path(), unhealthy,
       "TLS: unable to get local issuer certificate"},
      {"another authority, the chain alone", both, "", "", chain, other_ca.path(), unhealthy,
       "TLS: unable to get local issuer certificate"},
      {"an authority that the system does not know", both, "", "", full, "", unhealthy,
       "TLS: unable to get local issuer certificate"},
      {"an expired one", expired, "", "", full, ca.path(), unhealthy, "TLS: certificate has expired"},
      {"an expired one, the chain alone", expired, "", "", chain, ca.path(), unhealthy, "TLS: certificate has expired"},
      {"one of tomorrow", early, "", "", full, ca.path(), unhealthy, "TLS: certificate is not yet valid"},
      {"signed by itself", alone, "", "", full, ca.path(), unhealthy, "TLS: self-signed certificate"},
      {"signed by itself, expired, of another name, and nobody minds", expired, "web.internal", "", none, "", healthy,
       "answered 200"},
      {"no such file of authorities", both, "", "", full, "/nonexistent.pem", not_made,
       "TLS: /nonexistent.pem: No such file or directory"},
      {"a file without authorities", both, "", "", full, no_ca.path(), not_made,
       "TLS: " + no_ca.path() + ": there is no certificate in it"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.description);
    boost::asio::io_context io;
    TlsNode node(io, c.certificate, always(response(200, "ok")));
    conf::Health health = quick_https();
    health.host = c.host;
    health.tls = {.sni = c.sni, .verify = c.verify, .ca_file = c.ca_file};
    Checked checked(io, node.address(), health);
    ASSERT_TRUE(checked.until_probes(2));
    EXPECT_EQ(checked.results[0].outcome, c.outcome);
    EXPECT_EQ(checked.results[0].reason, c.reason);
    EXPECT_EQ(checked.results[1].reason, c.reason) << "and goes on";
    EXPECT_EQ(node.connections(), c.outcome == healthy     ? 1u
                                  : c.outcome == unhealthy ? checked.results.size()
                                                           : node.connections());
  }
}

TEST(HttpsProbe, TellsTheNameInTheHandshake) {
  const Certificate certificate({});
  struct Case {
    const char *description, *host, *sni, *told;
  };
  const Case cases[] = {
      {"an address is not sent (RFC 6066 3)", "", "", ""},
      {"an IPv6 address is not sent", "[::1]:8443", "", ""},
      {"the host", "app.internal", "", "app.internal"},
      {"the host without its port", "app.internal:8443", "", "app.internal"},
      {"what is configured", "app.internal", "other.internal", "other.internal"},
  };
  for (const Case& c : cases) {
    boost::asio::io_context io;
    TlsNode node(io, certificate, always(response(200, "")));
    conf::Health health = quick_https();
    health.host = c.host;
    health.tls.sni = c.sni;
    Checked checked(io, node.address(), health);
    ASSERT_TRUE(checked.until_probes(1)) << c.description;
    EXPECT_EQ(node.sni(), c.told) << c.description;
    EXPECT_EQ(node.alpn(), std::string("\0\x09\x08http/1.1", 11)) << c.description;
  }
}

TEST(HttpsProbe, LooksForTheNameThatWasFound) {
  const Certificate authority({.common_name = "authority", .authority = true});
  const Certificate certificate({.names = "DNS:app.internal"}, authority);
  const TemporaryFile ca(authority.pem());
  struct Case {
    const char *description, *host, *found, *told;
    ProbeOutcome outcome;
  };
  const Case cases[] = {
      {"nothing but the address", "", "", "", ProbeOutcome::unhealthy},
      {"the name that was looked up", "", "app.internal", "app.internal", ProbeOutcome::healthy},
      {"who is asked for in the request goes first", "web.internal", "app.internal", "web.internal",
       ProbeOutcome::unhealthy},
  };
  for (const Case& c : cases) {
    boost::asio::io_context io;
    TlsNode node(io, certificate, always(response(200, "")));
    conf::Health health = quick(conf::ProbeKind::https);
    health.tls.ca_file = ca.path();
    health.host = c.host;
    ProbeTarget target = target_at(node.address(), health);
    target.host_name = c.found;
    Checked checked(io, std::move(target));
    ASSERT_TRUE(checked.until_probes(1)) << c.description;
    EXPECT_EQ(checked.results[0].outcome, c.outcome) << c.description << ": " << checked.results[0].reason;
    if (c.outcome == ProbeOutcome::healthy) EXPECT_EQ(node.sni(), c.told) << c.description;
  }
}

TEST(HttpsProbe, ShowsTheCertificateOfItsService) {
  const Certificate certificate({}), own({.common_name = "us"});
  const TemporaryFile pem(own.pem() + own.key_pem());
  boost::asio::io_context io;
  TlsNode node(io, certificate, always(response(200, "")), {.asks_for_certificate = true, .believes = own.pem()});
  conf::Health health = quick_https();
  health.tls.client_certificate = conf::CertificateFiles{pem.path(), pem.path(), {}};
  Checked checked(io, node.address(), health);
  ASSERT_TRUE(checked.until_probes(1));
  EXPECT_EQ(checked.results[0].reason, "answered 200");
}

TEST(HttpsProbe, SpeaksForItselfBeforeTheHandshake) {
  const Certificate certificate({});
  const std::string v2("\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x20\x00\x00\x00", 16);
  for (const auto& [version, octets] :
       {std::pair{conf::ProxyOnProbe::v2, v2}, std::pair{conf::ProxyOnProbe::v1, std::string("PROXY UNKNOWN\r\n")}}) {
    boost::asio::io_context io;
    TlsNode node(io, certificate, always(response(200, "")), {.preamble_bytes = octets.size()});
    conf::Health health = quick_https();
    health.send_proxy = version;
    Checked checked(io, node.address(), health);
    ASSERT_TRUE(checked.until_probes(3));
    EXPECT_EQ(count(checked.results, ProbeOutcome::healthy), checked.results.size());
    EXPECT_EQ(node.preamble(), octets);
    EXPECT_EQ(node.connections(), 1u);
  }
}

TEST(HttpsProbe, KeepsItsConnection) {
  const Certificate certificate({});
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    boost::asio::io_context io;
    TlsNode node(io, certificate, always(response(200, "ok")), {.max_version = version});
    conf::Health health = quick_https();
    health.fall = 1;
    Checked checked(io, node.address(), health);
    ASSERT_TRUE(checked.until_probes(5));
    EXPECT_EQ(node.connections(), 1u) << "TLS 1.3 sends tickets on its own account: that is no end";
    node.drop_connections();
    ASSERT_TRUE(checked.until_probes(checked.results.size() + 3));
    EXPECT_EQ(node.connections(), 2u);
    EXPECT_EQ(checked.changes, std::vector<std::string>{"unknown > healthy"});
  }
}

TEST(HttpsProbe, ReadsAnswersOfAnySize) {
  const Certificate certificate({});
  const std::string big(200'000, 'x');
  struct Case {
    const char* description;
    FakeNode::Answer answer;
    ProbeOutcome outcome;
    const char* reason;
  };
  const Case cases[] = {
      {"more than a record", {response(200, big.substr(0, 50'000))}, ProbeOutcome::healthy, "answered 200"},
      {"more than is read", {response(503, big), Then::close}, ProbeOutcome::draining, "answered 503"},
      {"until the end, without a close_notify",
       {"HTTP/1.1 200 OK\r\n\r\nok", Then::close},
       ProbeOutcome::healthy,
       "answered 200"},
      {"cut",
       {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", Then::close},
       ProbeOutcome::unhealthy,
       "closed before the end of its answer"},
      {"none", {"", Then::close}, ProbeOutcome::unhealthy, "closed without an answer"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.description);
    boost::asio::io_context io;
    TlsNode node(io, certificate, [&c](std::string_view) { return c.answer; });
    Checked checked(io, node.address(), quick_https());
    ASSERT_TRUE(checked.until_probes(2));
    EXPECT_EQ(checked.results[1].outcome, c.outcome);
    EXPECT_EQ(checked.results[1].reason, c.reason);
  }
}

TEST(HttpsProbe, NamesWhatIsWrongWithThePeer) {
  const Certificate certificate({});
  {
    boost::asio::io_context io;
    FakeNode plain(io, always(""));
    FakeNode* node = &plain;
    conf::Health health = quick_https();
    Checked checked(io, plain.address(), health);
    ASSERT_TRUE(checked.until([&] { return node->connections() > 0 && !node->received(0).empty(); }));
    node->blurt("HTTP/1.1 400 Bad Request\r\n\r\n");
    ASSERT_TRUE(checked.until_probes(1));
    EXPECT_EQ(checked.results[0].reason, "TLS: wrong version number: what came does not look like TLS");
  }
  {
    boost::asio::io_context io;
    FakeNode silent(io, always(""));
    conf::Health health = quick_https();
    health.timeout = 60ms;
    Checked checked(io, silent.address(), health);
    ASSERT_TRUE(checked.until_probes(1));
    EXPECT_EQ(checked.results[0].outcome, ProbeOutcome::unhealthy);
    EXPECT_EQ(checked.results[0].reason, "timed out in the TLS handshake");
    silent.drop_connections();
  }
  {
    boost::asio::io_context io;
    FakeNode closing(io, always(""));
    Checked checked(io, closing.address(), quick_https());
    ASSERT_TRUE(checked.until([&] { return closing.connections() > 0 && !closing.received(0).empty(); }));
    closing.drop_connections();
    ASSERT_TRUE(checked.until_probes(1));
    EXPECT_EQ(checked.results[0].reason, "closed in the TLS handshake");
  }
  {
    boost::asio::io_context io;
    TlsNode strict(io, certificate, always(response(200, "")), {.asks_for_certificate = true});
    Checked checked(io, strict.address(), quick_https());
    ASSERT_TRUE(checked.until_probes(1));
    EXPECT_EQ(checked.results[0].reason, "TLS: tlsv13 alert certificate required");
  }
}

TEST(HttpsProbe, AuthoritiesThatCannotBeReadAreNoFaultOfTheTarget) {
  conf::Health health = quick_https();
  health.fall = 1;
  health.tls = {.ca_file = "/nonexistent.pem"};
  for (const bool refuses : {false, true}) {
    SCOPED_TRACE(refuses);
    boost::asio::io_context io;
    FakeNode node(io, always(""));
    if (refuses) node.stop();
    Checked checked(io, node.address(), health);
    ASSERT_TRUE(checked.until_probes(3));
    EXPECT_EQ(count(checked.results, ProbeOutcome::not_made), checked.results.size()) << "reached or not";
    EXPECT_EQ(checked.state(), HealthState::unknown);
    EXPECT_EQ(node.connections(), 0u) << "it is not even asked";
  }
}

TEST(HttpsProbe, TakesUpAuthoritiesThatHaveChanged) {
  const Certificate authority({.common_name = "new", .authority = true}),
      old({.common_name = "old", .authority = true});
  const Certificate certificate({.names = "IP:127.0.0.1"}, authority);
  const TemporaryFile ca(old.pem());
  boost::asio::io_context io;
  TlsNode node(io, certificate, always(response(200, "")));
  conf::Health health = quick_https();
  health.tls = {.ca_file = ca.path()};
  Checked checked(io, node.address(), health);
  ASSERT_TRUE(checked.until_state(HealthState::unhealthy));
  ca.write("half of a");
  ASSERT_TRUE(checked.until_probes(checked.results.size() + 2));
  EXPECT_EQ(checked.verdict().reason(), "TLS: unable to get local issuer certificate") << "by the old ones still";
  ca.write(authority.pem());
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
}

}  // namespace
}  // namespace telltale::proxy
