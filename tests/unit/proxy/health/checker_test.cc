#include "proxy/health/checker.h"

#include "tests/unit/proxy/health/checked.h"

#include <gtest/gtest.h>

#include <map>

namespace telltale::proxy {
namespace {

using namespace test;

TEST(HealthChecker, FollowsAFlipAtTheFirstAnswer) {
  boost::asio::io_context io;
  unsigned status = 200;
  FakeNode node(io, [&](std::string_view) { return FakeNode::Answer{response(status, "")}; });
  Checked checked(io, node.address());
  EXPECT_EQ(checked.state(), HealthState::unknown);
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
  EXPECT_EQ(checked.results.size(), 1u);
  ASSERT_TRUE(checked.until([&] { return !checked.affected.empty(); }));

  ASSERT_TRUE(checked.until_probes(3));
  EXPECT_EQ(checked.affected.size(), 1u) << "told of only when something changes";
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

TEST(HealthChecker, TellsOnceOfTheServicesThatAPassAffects) {
  const LogCapture log;
  boost::asio::io_context io;
  FakeNode node(io, always(response(200, "")));
  std::vector<ProbeTarget> targets;
  for (const auto& affected : std::vector<std::vector<std::size_t>>{{3, 1}, {1, 2}, {}}) {
    targets.push_back(target_at(node.address()));
    targets.back().affected = affected;
  }
  std::vector<std::vector<std::size_t>> told;
  HealthCheckerOptions options;
  options.on_affected = [&](const std::vector<std::size_t>& services) { told.push_back(services); };
  HealthChecker checker(io, targets, options);
  checker.start();
  ASSERT_TRUE(run_until(io, [&] { return !told.empty(); }));
  EXPECT_EQ(told, (std::vector<std::vector<std::size_t>>{{1, 2, 3}})) << "all three answers came within one tick";
}

TEST(HealthChecker, AsksEachOfManyTargetsAgainAndAgain) {
  const LogCapture log;
  boost::asio::io_context io;
  FakeNode node(io, always(response(200, "")));
  std::vector<ProbeTarget> targets;
  for (std::size_t i = 0; i < 50; ++i) {
    conf::Health health = quick();
    health.interval = health.fast_interval = 50ms;
    health.path = "/" + std::to_string(i);
    targets.push_back(target_at(node.address(), health));
  }
  std::map<std::string, std::vector<std::chrono::steady_clock::time_point>> asked;
  std::size_t asked_often = 0;
  HealthCheckerOptions options;
  options.on_probe = [&](const ProbeTarget& target, const ProbeResult& result) {
    EXPECT_EQ(result.outcome, ProbeOutcome::healthy) << result.reason;
    auto& times = asked[target.health.path];
    times.push_back(std::chrono::steady_clock::now());
    asked_often += times.size() == 4;
  };
  HealthChecker checker(io, targets, options);
  const auto start = std::chrono::steady_clock::now();
  checker.start();
  EXPECT_TRUE(run_until(io, [&] { return asked_often == targets.size(); }));
  for (const auto& [path, times] : asked) {
    EXPECT_GE(times.back() - start, (times.size() - 1) * 45ms) << path << " was asked too often";
  }
  EXPECT_EQ(node.connections(), targets.size());
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
  std::optional<HealthChecker> checker;
  {
    boost::asio::io_context io;
    FakeNode silent(io, always("", Then::hang));
    checker.emplace(io, std::vector{target_at(silent.address())});
    checker->start();
    run_until(io, [&] { return silent.requests() > 0; });
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
