#include "proxy/health/checker.h"

#include "tests/unit/proxy/health/fake_node.h"

#include <boost/asio/local/stream_protocol.hpp>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <map>
#include <sstream>
#include <unistd.h>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;
using Then = FakeNode::Then;

std::string response(unsigned status, std::string_view body, std::string_view fields = "") {
  return "HTTP/1.1 " + std::to_string(status) + " Any\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}
FakeNode::Script always(std::string octets, Then then = Then::keep) {
  return [octets, then](std::string_view) { return FakeNode::Answer{octets, then}; };
}

/// What the default logger says, kept.
class LogCapture {
 public:
  LogCapture() : before_(spdlog::default_logger()) {
    auto logger = std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
    logger->set_pattern("%l %v");
    spdlog::set_default_logger(logger);
  }
  ~LogCapture() { spdlog::set_default_logger(before_); }
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

/// One service with one endpoint at the node, its checker, and all that it told.
class Checked {
 public:
  Checked(boost::asio::io_context& io, const conf::Address& address, conf::Health health = quick()) : io_(io) {
    conf::Service service;
    service.name = "shop";
    service.health = health;
    service.endpoints = {{address, "pod", 1}};
    set_ = ServiceBuilder::build({&service, 1});
    HealthCheckerOptions options;
    options.seed = 1;
    options.now = [this] { return now; };
    options.on_probe = [this](const ProbeTarget&, const ProbeResult& result) {
      results.push_back(result);
      if (on_probe) on_probe();
    };
    options.on_change = [this](const ProbeTarget& target, HealthState before) {
      changes.push_back(std::string(to_string(before)) + " > " + std::string(to_string(target.verdict->state())));
    };
    checker.emplace(io, set_.probe_targets, std::move(options));
    checker->start();
  }

  static conf::Health quick() {
    conf::Health health;
    health.interval = 10ms;
    health.timeout = 5s;  // the tests that are about it set their own
    return health;
  }

  Service& service() { return *set_.services[0]; }
  const HealthVerdict& verdict() { return *set_.probe_targets[0].verdict; }
  HealthState state() { return service().endpoints()[0]->state(); }

  /// Runs the loop until it is so; false: it was not so in time.
  template <class Condition>
  bool until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition() && std::chrono::steady_clock::now() < deadline) io_.run_one_for(100ms);
    return condition();
  }
  bool until_state(HealthState wanted) {
    return until([&] { return state() == wanted; });
  }
  bool until_probes(std::size_t count) {
    return until([&] { return results.size() >= count; });
  }

  std::chrono::system_clock::time_point now{1000s};
  std::vector<ProbeResult> results;
  std::vector<std::string> changes;
  std::function<void()> on_probe;
  LogCapture log;
  std::optional<HealthChecker> checker;

 private:
  boost::asio::io_context& io_;
  ServiceSet set_;
};

std::size_t count(const std::vector<ProbeResult>& results, ProbeOutcome outcome) {
  return static_cast<std::size_t>(
      std::count_if(results.begin(), results.end(), [&](const ProbeResult& r) { return r.outcome == outcome; }));
}

TEST(HealthChecker, FollowsAFlipAtTheFirstAnswer) {
  boost::asio::io_context io;
  unsigned status = 200;
  FakeNode node(io, [&](std::string_view) { return FakeNode::Answer{response(status, "")}; });
  Checked checked(io, node.address());
  const auto version = checked.service().version();
  EXPECT_EQ(checked.state(), HealthState::unknown);
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
  EXPECT_EQ(checked.results.size(), 1u);
  ASSERT_TRUE(checked.until([&] { return checked.service().version() > version; }));

  ASSERT_TRUE(checked.until_probes(3));
  EXPECT_EQ(checked.service().version(), version + 1) << "moves only with a change";
  checked.results.clear();
  status = 503;
  checked.now += 60s;
  ASSERT_TRUE(checked.until_state(HealthState::draining));
  EXPECT_EQ(count(checked.results, ProbeOutcome::draining), 1u);
  EXPECT_EQ(checked.verdict().reason(), "answered 503");
  EXPECT_EQ(checked.verdict().since(), checked.now);

  checked.results.clear();
  status = 200;
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
  EXPECT_EQ(count(checked.results, ProbeOutcome::healthy), 1u);
  EXPECT_EQ(checked.changes,
            (std::vector<std::string>{"unknown > healthy", "healthy > draining", "draining > healthy"}));
  EXPECT_EQ(node.connections(), 1u) << "one connection for all probes";

  const std::string at = node.address().to_string();
  EXPECT_EQ(checked.log.text(), "info health: shop/pod at " + at + " is healthy, was unknown: answered 200\n" +
                                    "warning health: shop/pod at " + at + " is draining, was healthy: answered 503\n" +
                                    "info health: shop/pod at " + at + " is healthy, was draining: answered 200\n");
}

TEST(HealthChecker, NeedsFallRefusalsToCallItUnhealthy) {
  boost::asio::io_context io;
  FakeNode node(io, always(response(200, "")));
  Checked checked(io, node.address());
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
  checked.results.clear();
  node.stop();
  ASSERT_TRUE(checked.until_state(HealthState::unhealthy));
  EXPECT_EQ(count(checked.results, ProbeOutcome::unhealthy), 3u);
  EXPECT_EQ(checked.verdict().reason(), "connecting: Connection refused");
}

TEST(HealthChecker, CallsARefusingTargetUnhealthyAtTheFirstProbe) {
  boost::asio::io_context io;
  FakeNode node(io, always(""));
  node.stop();
  Checked checked(io, node.address());
  ASSERT_TRUE(checked.until_state(HealthState::unhealthy));
  EXPECT_EQ(checked.results.size(), 1u);
}

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
    conf::Health health = Checked::quick();
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

TEST(HealthChecker, TimesOutAKeptConnectionWithoutARetry) {
  boost::asio::io_context io;
  FakeNode node(io, always(response(200, "")));
  conf::Health health = Checked::quick();
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
    conf::Health health = Checked::quick();
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
  conf::Health health = Checked::quick();
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
  conf::Health health = Checked::quick();
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
  conf::Health health = Checked::quick();
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
    conf::Health health = Checked::quick();
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
  conf::Health health = Checked::quick();
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
  conf::Health health = Checked::quick();
  health.kind = conf::ProbeKind::tcp;
  Checked checked(io, {std::nullopt, path}, health);
  ASSERT_TRUE(checked.until_state(HealthState::unhealthy));
  EXPECT_EQ(checked.verdict().reason(), "connecting: No such file or directory");
  local::acceptor acceptor(io, local::endpoint(path));
  EXPECT_TRUE(checked.until_state(HealthState::healthy));
  ::unlink(path.c_str());
}

TEST(HealthChecker, ReadsAnEmpty200AsUnknownUnderStrict) {
  boost::asio::io_context io;
  std::string body = "1 Service Endpoints found";
  FakeNode node(io, [&](std::string_view) { return FakeNode::Answer{response(200, body)}; });
  conf::Health health = Checked::quick();
  health.strict = true;
  Checked checked(io, node.address(), health);
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
  body.clear();
  ASSERT_TRUE(checked.until_state(HealthState::unknown));
  EXPECT_EQ(checked.verdict().reason(), "answered 200 with an empty body");
}

TEST(HealthChecker, HandsOnTheWeightAndMovesTheVersionWithIt) {
  boost::asio::io_context io;
  std::string fields = "x-load-balancing-endpoint-weight: 3\r\n";
  FakeNode node(io, [&](std::string_view) { return FakeNode::Answer{response(200, "", fields)}; });
  Checked checked(io, node.address());
  EXPECT_EQ(checked.verdict().weight(), -1);
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
  EXPECT_EQ(checked.verdict().weight(), 3);
  ASSERT_TRUE(checked.until_probes(2));
  const auto version = checked.service().version();
  fields = "X-Load-Balancing-Endpoint-Weight: 5\r\n";
  ASSERT_TRUE(checked.until([&] { return checked.service().version() > version; }));
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

TEST(HealthChecker, BumpsEveryAffectedService) {
  const LogCapture log;
  boost::asio::io_context io;
  FakeNode node(io, always(response(200, "")));
  conf::Service conf;
  conf.health = Checked::quick();
  conf.endpoints = {{node.address(), "", 1}};
  std::vector<conf::Service> confs = {conf, conf, conf};
  confs[2].health.reset();
  ServiceSet set = ServiceBuilder::build(confs);
  ASSERT_EQ(set.probe_targets.size(), 1u);
  HealthChecker checker(io, set.probe_targets);
  checker.start();
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (set.services[1]->version() == 1 && std::chrono::steady_clock::now() < deadline) io.run_one_for(100ms);
  EXPECT_EQ(set.services[0]->version(), 2u);
  EXPECT_EQ(set.services[1]->version(), 2u);
  EXPECT_EQ(set.services[2]->version(), 1u) << "has no probe";
  EXPECT_EQ(set.services[1]->endpoints()[0]->state(), HealthState::healthy);
}

TEST(HealthChecker, AsksEachOfManyTargetsAgainAndAgain) {
  const LogCapture log;
  boost::asio::io_context io;
  FakeNode node(io, always(response(200, "")));
  std::vector<conf::Service> confs(50);
  for (std::size_t i = 0; i < confs.size(); ++i) {
    confs[i].health = Checked::quick();
    confs[i].health->interval = 50ms;
    confs[i].health->path = "/" + std::to_string(i);
    confs[i].endpoints = {{node.address(), "", 1}};
  }
  ServiceSet set = ServiceBuilder::build(confs);
  ASSERT_EQ(set.probe_targets.size(), confs.size());
  std::map<std::string, std::vector<std::chrono::steady_clock::time_point>> asked;
  std::size_t asked_often = 0;
  HealthCheckerOptions options;
  options.on_probe = [&](const ProbeTarget& target, const ProbeResult& result) {
    EXPECT_EQ(result.outcome, ProbeOutcome::healthy) << result.reason;
    auto& times = asked[target.health.path];
    times.push_back(std::chrono::steady_clock::now());
    asked_often += times.size() == 4;
  };
  HealthChecker checker(io, set.probe_targets, options);
  const auto start = std::chrono::steady_clock::now();
  checker.start();
  while (asked_often < confs.size() && std::chrono::steady_clock::now() < start + 20s) io.run_one_for(100ms);
  EXPECT_EQ(asked_often, confs.size());
  for (const auto& [path, times] : asked) {
    EXPECT_GE(times.back() - start, (times.size() - 1) * 45ms) << path << " was asked too often";
  }
  EXPECT_EQ(node.connections(), confs.size());
}

TEST(HealthChecker, SaysNothingMoreOnceItIsStopped) {
  for (const bool destroy : {false, true}) {
    boost::asio::io_context io;
    FakeNode node(io, always(response(200, "")));
    FakeNode silent(io, always("", Then::hang));
    Checked checked(io, node.address());
    Checked waiting(io, silent.address());
    ASSERT_TRUE(checked.until_probes(2));
    ASSERT_TRUE(waiting.until([&] { return silent.requests() > 0; }));
    for (Checked* c : {&checked, &waiting}) {
      if (destroy) {
        c->checker.reset();
      } else {
        c->checker->stop();
        c->checker->stop();
      }
    }
    const auto probes = checked.results.size();
    node.stop();
    silent.stop();
    io.restart();
    io.run();  // comes to its end: no timer, no socket is left
    EXPECT_EQ(checked.results.size(), probes);
    EXPECT_TRUE(waiting.results.empty());
    EXPECT_EQ(checked.state(), HealthState::healthy) << "verdicts stay";
  }
}

TEST(HealthChecker, MayBeStoppedFromItsCallbacks) {
  boost::asio::io_context io;
  FakeNode node(io, always(response(200, "")));
  Checked checked(io, node.address());
  checked.on_probe = [&] { checked.checker.reset(); };
  ASSERT_TRUE(checked.until_probes(1));
  node.stop();
  io.restart();
  io.run();
  EXPECT_EQ(checked.results.size(), 1u);
  EXPECT_EQ(checked.state(), HealthState::unknown);
}

TEST(HealthChecker, MayBeDestroyedWithItsLoop) {
  ServiceSet set;
  std::optional<HealthChecker> checker;
  {
    boost::asio::io_context io;
    FakeNode silent(io, always("", Then::hang));
    conf::Service conf;
    conf.health = Checked::quick();
    conf.endpoints = {{silent.address(), "", 1}};
    set = ServiceBuilder::build({&conf, 1});
    checker.emplace(io, set.probe_targets);
    checker->start();
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (silent.requests() == 0 && std::chrono::steady_clock::now() < deadline) io.run_one_for(100ms);
    EXPECT_EQ(silent.requests(), 1u);
    checker.reset();
  }
}

TEST(HealthChecker, RunsWithNothingToProbe) {
  boost::asio::io_context io;
  HealthChecker checker(io, {});
  checker.start();
  EXPECT_EQ(io.run(), 0u);
}

}  // namespace
}  // namespace telltale::proxy
