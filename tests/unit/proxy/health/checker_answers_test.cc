#include "proxy/health/checker.h"
#include "tests/unit/proxy/health/checked.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

using namespace test;

TEST(HealthChecker, JudgesWhatPeersDo) {
  const std::string big(70'000, 'x');
  struct Case {
    const char* description;
    FakeNode::Answer answer;
    ProbeOutcome outcome;
    const char* reason;
  };
  using enum ProbeOutcome;
  const Case cases[] = {
      {"200", {response(200, "ok")}, healthy, "answered 200"},
      {"kube-proxy",
       {response(200, R"({"service":{"namespace":"default","name":"loadbalancer"},"localEndpoints":1})")},
       healthy,
       "answered 200: 1 local endpoint of default/loadbalancer"},
      {"200 until close",
       {"HTTP/1.1 200 OK\r\n\r\n1 Service Endpoints found", Then::close},
       healthy,
       "answered 200: 1 local endpoint"},
      {"HTTP/1.0", {"HTTP/1.0 200 OK\r\n\r\nok", Then::close}, healthy, "answered 200"},
      {"chunked",
       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1a\r\nNo Service Endpoints Found\r\n0\r\n\r\n"},
       healthy,
       "answered 200: no local endpoints"},
      {"no content", {"HTTP/1.1 204 No Content\r\n\r\n"}, healthy, "answered 204"},
      {"an interim answer first",
       {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + response(200, "")},
       healthy,
       "answered 200"},
      {"nothing but interim answers",
       {"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
        "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"},
       unhealthy,
       "not an HTTP answer: bad status"},
      {"switching protocols", {"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"}, unhealthy, "answered 101"},
      {"503", {response(503, "")}, draining, "answered 503"},
      {"500", {response(500, "")}, unhealthy, "answered 500"},
      {"408", {response(408, "")}, unhealthy, "answered 408"},
      {"oversize body, 200", {response(200, big)}, healthy, "answered 200"},
      {"oversize body, 503", {response(503, big)}, draining, "answered 503"},
      {"a body announced that nobody could hold, and never sent",
       {"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999\r\n\r\n" + big + big, Then::hang},
       healthy,
       "answered 200"},
      {"endless chunks",
       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11170\r\n" + big + "\r\n11170\r\n" + big, Then::hang},
       healthy,
       "answered 200"},
      {"oversize head",
       {"HTTP/1.1 200 OK\r\nX: " + big + "\r\n\r\n", Then::hang},
       unhealthy,
       "not an HTTP answer: header limit exceeded"},
      {"endless status line",
       {"HTTP/1.1 200 " + big, Then::hang},
       unhealthy,
       "not an HTTP answer: header limit exceeded"},
      {"reset", {"", Then::reset}, unhealthy, "waiting for the answer: Connection reset by peer"},
      {"closed without an octet", {"", Then::close}, unhealthy, "closed without an answer"},
      {"closed in the head",
       {"HTTP/1.1 200 OK\r\nContent-Le", Then::close},
       unhealthy,
       "closed before the end of its answer"},
      {"closed in the body",
       {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Then::close},
       unhealthy,
       "closed before the end of its answer"},
      {"SSH", {"SSH-2.0-OpenSSH_9.2\r\n", Then::hang}, unhealthy, "not an HTTP answer: bad version"},
      {"octets",
       {std::string("\x15\x03\x01\x00\x02\x02\x46\x00\x00\x00\x00\x00\x00\x00\x00\x00", 16), Then::hang},
       unhealthy,
       "not an HTTP answer: bad version"},
      {"no status", {"HTTP/1.1 OK\r\n\r\n", Then::hang}, unhealthy, "not an HTTP answer: bad status"},
      {"bad chunk",
       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Then::hang},
       unhealthy,
       "not an HTTP answer: bad chunk"},
      {"two lengths",
       {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", Then::hang},
       unhealthy,
       "not an HTTP answer: multiple Content-Length"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.description);
    boost::asio::io_context io;
    FakeNode node(io, [&c](std::string_view) { return c.answer; });
    Checked checked(io, node.address());
    ASSERT_TRUE(checked.until_probes(1));
    EXPECT_EQ(checked.results[0].outcome, c.outcome);
    EXPECT_EQ(checked.results[0].reason, c.reason);
    EXPECT_EQ(checked.state(), state_for(c.outcome));
    ASSERT_TRUE(checked.until_probes(3)) << "and goes on";
    EXPECT_EQ(checked.results[2].outcome, c.outcome);
  }
}

TEST(HealthChecker, JudgesAnAnswerAlikeHoweverItIsCut) {
  const std::string answer =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Load-Balancing-Endpoint-Weight: 4\r\n\r\n"
      "12\r\n{\"localEndpoints\":\r\n2\r\n4}\r\n0\r\n\r\n";
  boost::asio::io_context io;
  FakeNode node(io, [&](std::string_view) { return FakeNode::Answer{answer, Then::keep, 1ms}; });
  Checked checked(io, node.address());
  ASSERT_TRUE(checked.until_probes(2));
  EXPECT_EQ(checked.results[0].reason, "answered 200: 4 local endpoints");
  EXPECT_EQ(checked.results[0].weight, 4);
  EXPECT_EQ(node.connections(), 1u);

  for (std::size_t cut = 0; cut < answer.size(); ++cut) {
    boost::asio::io_context other;
    FakeNode closing(other, always(answer.substr(0, cut), Then::close));
    Checked refused(other, closing.address());
    ASSERT_TRUE(refused.until_probes(1));
    EXPECT_EQ(refused.results[0].outcome, ProbeOutcome::unhealthy) << cut;
  }
}

TEST(HealthChecker, TimesOutSilentAndDrippingTargets) {
  struct Case {
    const char* description;
    FakeNode::Answer answer;
  };
  const Case cases[] = {
      {"silent", {"", Then::hang}},
      {"slow drip of the head", {"HTTP/1.1 200 OK\r\nX: " + std::string(4000, 'x'), Then::hang, 2ms}},
      {"slow drip of the body", {response(200, std::string(4000, 'x')), Then::hang, 2ms}},
      {"a body that never ends", {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", Then::hang}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.description);
    boost::asio::io_context io;
    FakeNode node(io, [&c](std::string_view) { return c.answer; });
    conf::Health health = quick();
    health.timeout = 60ms;
    Checked checked(io, node.address(), health);
    ASSERT_TRUE(checked.until_probes(2));
    EXPECT_EQ(checked.results[0].outcome, ProbeOutcome::unhealthy);
    EXPECT_EQ(checked.results[0].reason, "timed out waiting for the answer");
    EXPECT_EQ(checked.results[1].reason, "timed out waiting for the answer");
    EXPECT_EQ(checked.state(), HealthState::unhealthy);
    EXPECT_EQ(node.connections(), 2u) << "a connection that timed out is not used again";
    EXPECT_EQ(node.requests(), 2u) << "nor is a time-out retried";
  }
}

TEST(HealthChecker, ReadsAnEmpty200AsUnknownUnderStrict) {
  boost::asio::io_context io;
  std::string body = "1 Service Endpoints found";
  FakeNode node(io, [&](std::string_view) { return FakeNode::Answer{response(200, body)}; });
  conf::Health health = quick();
  health.strict = true;
  Checked checked(io, node.address(), health);
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
  body.clear();
  ASSERT_TRUE(checked.until_state(HealthState::unknown));
  EXPECT_EQ(checked.verdict().reason(), "answered 200 with an empty body");
}

TEST(HealthChecker, HandsOnTheWeightAndTellsOfIt) {
  boost::asio::io_context io;
  std::string fields = "x-load-balancing-endpoint-weight: 3\r\n";
  FakeNode node(io, [&](std::string_view) { return FakeNode::Answer{response(200, "", fields)}; });
  Checked checked(io, node.address());
  EXPECT_EQ(checked.verdict().weight(), -1);
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
  EXPECT_EQ(checked.verdict().weight(), 3);
  ASSERT_TRUE(checked.until_probes(2));
  const auto told = checked.affected.size();
  fields = "X-Load-Balancing-Endpoint-Weight: 5\r\n";
  ASSERT_TRUE(checked.until([&] { return checked.affected.size() > told; }));
  EXPECT_EQ(checked.verdict().weight(), 5);
  fields.clear();
  ASSERT_TRUE(checked.until([&] { return checked.verdict().weight() == -1; }));
  EXPECT_EQ(checked.changes.size(), 1u) << "the state is the same";
}

TEST(HealthChecker, KeepsTheReasonFreshWhileTheStateStays) {
  boost::asio::io_context io;
  FakeNode node(io, always(response(500, "")));
  Checked checked(io, node.address());
  ASSERT_TRUE(checked.until_state(HealthState::unhealthy));
  const auto since = checked.verdict().since();
  checked.now += 10s;
  node.stop();
  ASSERT_TRUE(checked.until([&] { return checked.verdict().reason() == "connecting: Connection refused"; }));
  EXPECT_EQ(checked.verdict().since(), since);
  EXPECT_EQ(checked.changes.size(), 1u);
}

}  // namespace
}  // namespace telltale::proxy
