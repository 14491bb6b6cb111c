#include "proxy/health/checker.h"
#include "tests/unit/proxy/health/checked.h"

#include <boost/asio/local/stream_protocol.hpp>
#include <gtest/gtest.h>

#include <unistd.h>
#include <utility>

namespace telltale::proxy {
namespace {

using namespace test;

TEST(HealthChecker, TimesOutAKeptConnectionWithoutARetry) {
  boost::asio::io_context io;
  FakeNode node(io, always(response(200, "")));
  conf::Health health = quick();
  health.timeout = 60ms;
  health.fall = 1;
  Checked checked(io, node.address(), health);
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
  node.set_script(always("", Then::hang));
  const auto requests = node.requests();
  ASSERT_TRUE(checked.until_state(HealthState::unhealthy));
  EXPECT_EQ(checked.verdict().reason(), "timed out waiting for the answer");
  EXPECT_LE(node.requests(), requests + 1);
}

TEST(HealthChecker, ReplacesAStaleConnectionSilently) {
  struct Case {
    const char* description;
    std::function<void(FakeNode&)> spoil;
  };
  const Case cases[] = {
      {"closed between probes", [](FakeNode& node) { node.drop_connections(); }},
      {"octets nobody asked for", [](FakeNode& node) { node.blurt("HTTP/1.1 503 Late\r\nContent-Length: 0\r\n\r\n"); }},
      {"closed at the next request",
       [](FakeNode& node) {
         node.set_script([first = true](std::string_view) mutable {
           if (std::exchange(first, false)) return FakeNode::Answer{"", Then::close};
           return FakeNode::Answer{response(200, "")};
         });
       }},
      {"a 408 for having been idle, which crossed the next request",
       [](FakeNode& node) {
         node.set_script([first = true](std::string_view) mutable {
           if (std::exchange(first, false))
             return FakeNode::Answer{response(408, "", "Connection: close\r\n"), Then::close};
           return FakeNode::Answer{response(200, "")};
         });
       }},
      {"reset at the next request",
       [](FakeNode& node) {
         node.set_script([first = true](std::string_view) mutable {
           if (std::exchange(first, false)) return FakeNode::Answer{"", Then::reset};
           return FakeNode::Answer{response(200, "")};
         });
       }},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.description);
    boost::asio::io_context io;
    FakeNode node(io, always(response(200, "")));
    conf::Health health = quick();
    health.fall = 1, health.fall_draining = 1;
    Checked checked(io, node.address(), health);
    ASSERT_TRUE(checked.until_probes(2));
    ASSERT_EQ(node.connections(), 1u);
    c.spoil(node);
    ASSERT_TRUE(checked.until([&] { return node.connections() == 2; }));
    ASSERT_TRUE(checked.until_probes(checked.results.size() + 2));
    EXPECT_EQ(checked.changes, std::vector<std::string>{"unknown > healthy"}) << checked.verdict().reason();
    EXPECT_EQ(count(checked.results, ProbeOutcome::healthy), checked.results.size());
    EXPECT_EQ(node.connections(), 2u);
  }
}

TEST(HealthChecker, RetriesAStaleConnectionOnceOnly) {
  boost::asio::io_context io;
  FakeNode node(io, always(response(200, "")));
  conf::Health health = quick();
  health.fall = 1;
  Checked checked(io, node.address(), health);
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
  const auto connections = node.connections();
  node.set_script(always("", Then::close));
  ASSERT_TRUE(checked.until_state(HealthState::unhealthy));
  EXPECT_EQ(node.connections(), connections + 1);
  EXPECT_EQ(checked.verdict().reason(), "closed without an answer");
}

TEST(HealthChecker, AsksAsAnOrdinaryClientWithoutAProxyHeader) {
  boost::asio::io_context io;
  FakeNode node(io, always(response(200, "")));
  conf::Health health = quick();
  health.path = "/healthz?full=1";
  Checked checked(io, node.address(), health);
  ASSERT_TRUE(checked.until_probes(2));
  const std::string request = "GET /healthz?full=1 HTTP/1.1\r\nHost: " + node.address().to_string() +
                              "\r\nUser-Agent: telltale-probe/" TELLTALE_VERSION "\r\nAccept: */*\r\n\r\n";
  EXPECT_EQ(node.received(0).substr(0, 2 * request.size()), request + request);
}

TEST(HealthChecker, SendsTheConfiguredHost) {
  boost::asio::io_context io;
  FakeNode node(io, always(response(200, "")));
  conf::Health health = quick();
  health.host = "app.internal";
  Checked checked(io, node.address(), health);
  ASSERT_TRUE(checked.until_probes(1));
  EXPECT_NE(node.received(0).find("\r\nHost: app.internal\r\n"), std::string::npos);
}

TEST(HealthChecker, SpeaksForItselfInAProxyHeaderIfAsked) {
  const std::string v2("\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x20\x00\x00\x00", 16);
  for (const auto& [version, octets] :
       {std::pair{conf::ProxyOnProbe::v2, v2}, std::pair{conf::ProxyOnProbe::v1, std::string("PROXY UNKNOWN\r\n")}}) {
    boost::asio::io_context io;
    FakeNode node(io, always(response(200, "")));
    conf::Health health = quick();
    health.send_proxy = version;
    Checked checked(io, node.address(), health);
    ASSERT_TRUE(checked.until_probes(2));
    const std::string& received = node.received(0);
    EXPECT_EQ(received.substr(0, octets.size() + 4), octets + "GET ");
    EXPECT_EQ(received.find(octets, 1), std::string::npos) << "once a connection";

    node.drop_connections();
    ASSERT_TRUE(checked.until([&] { return node.connections() == 2 && node.received(1).size() > octets.size() + 4; }));
    EXPECT_EQ(node.received(1).substr(0, octets.size() + 4), octets + "GET ") << "on the next connection again";

    health.kind = conf::ProbeKind::tcp;
    FakeNode plain(io, always(""));
    Checked tcp(io, plain.address(), health);
    ASSERT_TRUE(tcp.until_state(HealthState::healthy));
    ASSERT_TRUE(tcp.until([&] { return plain.connections() > 0 && plain.received(0).size() >= octets.size(); }));
    EXPECT_EQ(plain.received(0), octets);
  }
}

TEST(HealthChecker, ProbesTcpByConnecting) {
  boost::asio::io_context io;
  FakeNode node(io, always(response(503, "")));
  conf::Health health = quick();
  health.kind = conf::ProbeKind::tcp;
  Checked checked(io, node.address(), health);
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
  EXPECT_EQ(checked.verdict().reason(), "accepted a connection");
  ASSERT_TRUE(checked.until([&] { return node.connections() == 2; })) << "a new connection each time";
  EXPECT_EQ(node.received(0), "");
  node.stop();
  checked.results.clear();
  ASSERT_TRUE(checked.until_state(HealthState::unhealthy));
  EXPECT_EQ(count(checked.results, ProbeOutcome::unhealthy), 3u);
}

TEST(HealthChecker, ProbesUnixSockets) {
  boost::asio::io_context io;
  using local = boost::asio::local::stream_protocol;
  const std::string path = "/tmp/telltale-probe-" + std::to_string(::getpid()) + ".sock";
  ::unlink(path.c_str());
  conf::Health health = quick();
  health.kind = conf::ProbeKind::tcp;
  Checked checked(io, {std::nullopt, path}, health);
  ASSERT_TRUE(checked.until_state(HealthState::unhealthy));
  EXPECT_EQ(checked.verdict().reason(), "connecting: No such file or directory");
  local::acceptor acceptor(io, local::endpoint(path));
  EXPECT_TRUE(checked.until_state(HealthState::healthy));
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace telltale::proxy
