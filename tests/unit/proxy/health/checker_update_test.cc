#include "proxy/health/checker.h"
#include "tests/unit/proxy/health/checked.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace telltale::proxy {
namespace {

using namespace test;

using Affected = std::vector<std::vector<std::size_t>>;

TEST(HealthCheckerUpdate, LeavesTargetsThatStayUndisturbed) {
  boost::asio::io_context io;
  unsigned status = 200;
  FakeNode node(io, [&](std::string_view) { return FakeNode::Answer{response(status, "")}; });
  ProbeTarget target = target_at(node.address());
  Checked checked(io, target);
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
  ASSERT_TRUE(checked.until([&] { return checked.affected == Affected{{0}}; }));

  target.name = "cart/pod";
  target.affected = {1, 2};
  conf::Health health = *target.health;
  health.path = "/ready";
  health.fall_draining = 3;
  target.health = std::make_shared<const conf::Health>(health);
  checked.checker->update({target});
  status = 503;
  ASSERT_TRUE(checked.until_state(HealthState::draining));
  EXPECT_EQ(count(checked.results, ProbeOutcome::draining), 3u);
  ASSERT_TRUE(checked.until([&] { return checked.affected == Affected{{0}, {1, 2}}; }));
  EXPECT_EQ(checked.changes, (std::vector<std::string>{"unknown > healthy", "healthy > draining"}));
  EXPECT_NE(checked.log.text().find("cart/pod at " + node.address().to_string() + " is draining"), std::string::npos);
  EXPECT_NE(node.received(0).find("GET /ready HTTP/1.1"), std::string::npos);
  EXPECT_EQ(node.connections(), 1u);
}

TEST(HealthCheckerUpdate, BeginsNewTargetsAndStopsThoseThatWentAway) {
  const LogCapture log;
  boost::asio::io_context io;
  FakeNode old_node(io, always(response(200, ""))), new_node(io, always(response(503, "")));
  const ProbeTarget old_target = target_at(old_node.address()), new_target = target_at(new_node.address());
  std::size_t of_old = 0;
  HealthCheckerOptions options;
  options.on_probe = [&](const ProbeTarget& target, const ProbeResult&) {
    of_old += target.verdict == old_target.verdict;
  };
  HealthChecker checker(io, {old_target}, options);
  checker.start();
  ASSERT_TRUE(run_until(io, [&] { return of_old >= 2; }));

  checker.update({old_target, new_target});
  ASSERT_TRUE(run_until(io, [&] { return new_target.verdict->state() == HealthState::draining; }));

  checker.update({new_target});
  const std::size_t last = of_old, asked = new_node.requests();
  ASSERT_TRUE(run_until(io, [&] { return old_node.closed() == 1 && new_node.requests() > asked + 5; }));
  EXPECT_EQ(of_old, last);
  EXPECT_EQ(old_target.verdict->state(), HealthState::healthy) << "stays as it was";
  EXPECT_EQ(new_node.connections(), 1u);

  checker.update({});
  ASSERT_TRUE(run_until(io, [&] { return new_node.closed() == 1; }));
  checker.update({old_target});
  ASSERT_TRUE(run_until(io, [&] { return of_old > last; })) << "comes back";
}

TEST(HealthCheckerUpdate, TakesTargetsAwayInTheMiddleOfAProbe) {
  for (const auto kind : {conf::ProbeKind::http, conf::ProbeKind::https, conf::ProbeKind::grpc}) {
    boost::asio::io_context io;
    FakeNode silent(io, always("", Then::hang)), node(io, always(response(200, "")));
    Checked checked(io, target_at(silent.address(), quick(kind)));
    ASSERT_TRUE(checked.until([&] { return silent.connections() == 1 && !silent.received(0).empty(); }));
    const ProbeTarget other = target_at(node.address());
    checked.checker->update({other});
    ASSERT_TRUE(checked.until([&] { return silent.closed() == 1 && other.verdict->state() == HealthState::healthy; }));
    EXPECT_EQ(checked.state(), HealthState::unknown);
    EXPECT_EQ(count(checked.results, ProbeOutcome::healthy), checked.results.size()) << "only the other one's";
  }
}

TEST(HealthCheckerUpdate, TakesTargetsAwayWhileTheyWaitForTheSameAnswerAgain) {
  boost::asio::io_context io;
  FakeNode node(io, always(response(200, "")));
  Checked checked(io, node.address());
  ASSERT_TRUE(checked.until_probes(2));
  node.set_script(always("", Then::hang));
  const auto requests = node.requests();
  ASSERT_TRUE(checked.until([&] { return node.requests() > requests; }));
  const auto probes = checked.results.size();
  checked.checker->update({});
  ASSERT_TRUE(checked.until([&] { return node.closed() == 1; }));
  EXPECT_EQ(checked.results.size(), probes);
  EXPECT_EQ(checked.state(), HealthState::healthy);
}

TEST(HealthCheckerUpdate, MayComeFromCallbacks) {
  const LogCapture log;
  for (const bool from_change : {false, true}) {
    for (const bool comes_back : {false, true}) {
      boost::asio::io_context io;
      FakeNode node(io, always(response(200, ""))), other_node(io, always(response(200, "")));
      const ProbeTarget target = target_at(node.address()), other = target_at(other_node.address());
      std::optional<HealthChecker> checker;
      std::size_t probes = 0;
      const auto replace = [&](const ProbeTarget& of) {
        if (of.verdict != target.verdict) return;
        ++probes;
        checker->update({other});
        if (comes_back && probes == 1) checker->update({other, target});
      };
      HealthCheckerOptions options;
      if (from_change) {
        options.on_change = [&](const ProbeTarget& of, HealthState) { replace(of); };
      } else {
        options.on_probe = [&](const ProbeTarget& of, const ProbeResult&) { replace(of); };
      }
      checker.emplace(io, std::vector{target}, options);
      checker->start();
      ASSERT_TRUE(run_until(io, [&] { return other_node.requests() >= 5; }));
      // Healthy already, the one that comes back has no change to tell of.
      EXPECT_EQ(probes, comes_back && !from_change ? 2u : 1u);
      EXPECT_EQ(target.verdict->state(), from_change ? HealthState::healthy : HealthState::unknown);
    }
  }
}

TEST(HealthCheckerUpdate, AsksElsewhereWhenTheAddressIsAnother) {
  boost::asio::io_context io;
  FakeNode first(io, always(response(200, ""))), second(io, always(response(500, "")));
  ProbeTarget target = target_at(first.address());
  Checked checked(io, target);
  ASSERT_TRUE(checked.until_state(HealthState::healthy));
  target.address = second.address();
  checked.checker->update({target});
  ASSERT_TRUE(checked.until_state(HealthState::unhealthy));
  EXPECT_EQ(count(checked.results, ProbeOutcome::unhealthy), 3u) << "from the state that was";
  EXPECT_EQ(first.closed(), 1u);
}

TEST(HealthCheckerUpdate, WaitsForTheStartAndEndsWithTheStop) {
  boost::asio::io_context io;
  FakeNode node(io, always(response(200, "")));
  const ProbeTarget target = target_at(node.address());
  HealthChecker checker(io, {});
  checker.update({target});
  io.poll();
  EXPECT_EQ(node.connections(), 0u);
  checker.start();
  {
    const LogCapture log;
    ASSERT_TRUE(run_until(io, [&] { return target.verdict->state() == HealthState::healthy; }));
  }
  checker.stop();
  checker.update({target_at(node.address())});
  node.stop();
  io.restart();
  io.run();
  EXPECT_EQ(node.connections(), 1u);
}

TEST(HealthCheckerUpdate, FollowsAnySequenceOfLists) {
  const LogCapture log;
  boost::asio::io_context io;
  FakeNode good(io, always(response(200, ""))),
      closing(io, always(response(200, "", "Connection: close\r\n"), Then::close)), silent(io, always("", Then::hang));
  std::vector<ProbeTarget> all;
  for (std::size_t i = 0; i < 60; ++i) {
    conf::Health health = quick(i % 7 == 0    ? conf::ProbeKind::tcp
                                : i % 11 == 0 ? conf::ProbeKind::grpc
                                              : conf::ProbeKind::http);
    health.timeout = 250ms;  // a slow machine answers within it
    all.push_back(target_at((i % 3 == 0 ? good : i % 3 == 1 ? closing : silent).address(), health));
  }
  std::minstd_rand random(7);
  std::vector<ProbeTarget> chosen;
  HealthCheckerOptions options;
  options.on_probe = [&](const ProbeTarget& target, const ProbeResult&) {
    EXPECT_TRUE(std::any_of(chosen.begin(), chosen.end(), [&](const auto& c) { return c.verdict == target.verdict; }));
  };
  HealthChecker checker(io, {}, options);
  checker.start();
  for (int round = 0; round < 300; ++round) {
    chosen.clear();
    const auto share = random() % 100;
    std::copy_if(all.begin(), all.end(), std::back_inserter(chosen),
                 [&](const auto&) { return random() % 100 < share; });
    std::shuffle(chosen.begin(), chosen.end(), random);
    checker.update(chosen);
    io.run_one_for(5ms);
    io.poll();
  }
  chosen = all;
  checker.update(all);
  ASSERT_TRUE(run_until(io, [&] {
    return std::all_of(all.begin(), all.end(), [&](const ProbeTarget& target) {
      const bool fails = target.health->kind == conf::ProbeKind::grpc ||
                         (target.health->kind == conf::ProbeKind::http && target.address == silent.address());
      return target.verdict->state() == (fails ? HealthState::unhealthy : HealthState::healthy);
    });
  }));
}

}  // namespace
}  // namespace telltale::proxy
