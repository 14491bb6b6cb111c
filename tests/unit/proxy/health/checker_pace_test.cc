#include "proxy/health/checker.h"
#include "tests/unit/proxy/health/checked.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace telltale::proxy {
namespace {

using namespace test;

/// An interval that no test lives to see: what comes came after the fast one.
conf::Health slow() {
  conf::Health health = quick();
  health.interval = 600s;
  health.fast_interval = 20ms;
  return health;
}

/// Answers with these statuses in turn, then with the last of them.
FakeNode::Script in_turn(std::vector<unsigned> statuses) {
  return [statuses, next = std::size_t{0}](std::string_view) mutable {
    const unsigned status = statuses[std::min(next, statuses.size() - 1)];
    ++next;
    return FakeNode::Answer{response(status, "")};
  };
}

/// So many probes of another target at the fast interval of slow().
void let_fast_intervals_pass(boost::asio::io_context& io, std::size_t probes) {
  FakeNode clock(io, always(response(200, "")));
  conf::Health health = quick();
  health.interval = health.fast_interval = 20ms;
  Checked other(io, clock.address(), health);
  ASSERT_TRUE(other.until_probes(probes));
}

TEST(HealthCheckerPace, AsksSoonAgainWhileOutcomeAndStateDiffer) {
  struct Case {
    const char* description;
    unsigned rise, fall, fall_draining;
    std::vector<unsigned> statuses;
    std::size_t probes;  // that come without waiting for the interval
    HealthState state;
  };
  const Case cases[] = {
      {"the first verdict is looked at once more", 1, 3, 1, {200}, 2, HealthState::healthy},
      {"a fall takes fall - 1 fast intervals, and is looked at once more",
       1,
       3,
       1,
       {200, 500},
       5,
       HealthState::unhealthy},
      {"a fall of 1", 1, 1, 1, {200, 500}, 3, HealthState::unhealthy},
      {"a failure in between is followed until it is over", 1, 3, 1, {200, 500, 500, 200}, 4, HealthState::healthy},
      {"a rise", 3, 3, 1, {500, 200}, 5, HealthState::healthy},
      {"a 503 at once", 1, 3, 1, {200, 503}, 3, HealthState::draining},
      {"a 503 that must be said twice", 1, 3, 2, {200, 503}, 4, HealthState::draining},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.description);
    boost::asio::io_context io;
    FakeNode node(io, in_turn(c.statuses));
    conf::Health health = slow();
    health.rise = c.rise, health.fall = c.fall, health.fall_draining = c.fall_draining;
    const auto begun = std::chrono::steady_clock::now();
    Checked checked(io, node.address(), health);
    ASSERT_TRUE(checked.until_probes(c.probes));
    EXPECT_EQ(checked.state(), c.state);
    // From one beginning to the next, but the answers are all that is seen: a late one may come close to the next.
    for (std::size_t i = 0; i < c.probes; ++i) EXPECT_GE(checked.probed_at[i] - begun, i * 18ms);
    let_fast_intervals_pass(io, 8);
    EXPECT_EQ(checked.results.size(), c.probes) << "no further one before the interval";
  }
}

TEST(HealthCheckerPace, NeverHurriesBeyondTheInterval) {
  boost::asio::io_context io;
  FakeNode node(io, in_turn({200, 500}));
  conf::Health health = slow();
  health.interval = 20ms;
  health.fast_interval = 600s;
  Checked checked(io, node.address(), health);
  EXPECT_TRUE(checked.until_state(HealthState::unhealthy));
}

TEST(HealthCheckerPace, AsksAgainOnlyAfterTheAnswer) {
  boost::asio::io_context io;
  FakeNode node(io, always("", Then::hang));
  conf::Health health = slow();
  health.fast_interval = 1ms;
  health.timeout = 60ms;
  const auto begun = std::chrono::steady_clock::now();
  Checked checked(io, node.address(), health);
  ASSERT_TRUE(checked.until_probes(2));
  // The second one begins with the pass that ends the first one: a little before that is told.
  EXPECT_GE(checked.probed_at[1] - begun, 120ms);
  EXPECT_EQ(node.requests(), 2u);
}

TEST(HealthCheckerPace, DoesNotHurryForProbesThatCannotBeMade) {
  boost::asio::io_context io;
  FakeNode node(io, always(""));
  conf::Health health = slow();
  health.kind = conf::ProbeKind::https;
  health.tls.ca_file = "/nonexistent/ca.pem";
  Checked checked(io, node.address(), health);
  ASSERT_TRUE(checked.until_probes(1));
  EXPECT_EQ(checked.results[0].outcome, ProbeOutcome::not_made);
  EXPECT_EQ(checked.results[0].reason, "TLS: /nonexistent/ca.pem: No such file or directory");
  EXPECT_EQ(checked.state(), HealthState::unknown);
  let_fast_intervals_pass(io, 8);
  EXPECT_EQ(checked.results.size(), 1u);
}

/// Probes of many targets at one node, and when each began.
struct Many {
  Many(boost::asio::io_context& io, std::size_t count, const conf::Health& health)
      : node(io, always(response(200, ""))) {
    for (std::size_t i = 0; i < count; ++i) {
      targets.push_back(target_at(node.address(), health));
      index[targets.back().verdict.get()] = i;
    }
    began.resize(count);
    options.seed = 1;
    options.on_success = [this](const ProbeTarget& target, Clock::time_point when) {
      began[index.at(target.verdict.get())].push_back(when);
      ++probes;
    };
  }
  using Clock = std::chrono::steady_clock;
  const LogCapture log;
  FakeNode node;
  std::vector<ProbeTarget> targets;
  std::unordered_map<const HealthVerdict*, std::size_t> index;
  std::vector<std::vector<Clock::time_point>> began;  // by target
  std::size_t probes = 0;
  HealthCheckerOptions options;
};

TEST(HealthCheckerPace, SpreadsTheFirstProbes) {
  boost::asio::io_context io;
  conf::Health health = slow();
  health.fast_interval = health.interval;
  Many many(io, 200, health);
  HealthChecker checker(io, {many.targets.begin(), many.targets.begin() + 100}, many.options);
  // The nth a millisecond after the one before it, in the first look that comes then; not one of them earlier.
  const auto expect_places = [&](std::size_t first, auto start) {
    for (std::size_t i = 0; i < 100; ++i) EXPECT_GE(many.began[first + i].at(0) - start, i * 1ms) << i;
  };
  auto start = std::chrono::steady_clock::now();
  checker.start();
  ASSERT_TRUE(run_until(io, [&] { return many.probes == 100; }));
  expect_places(0, start);
  start = std::chrono::steady_clock::now();
  checker.update(many.targets);
  ASSERT_TRUE(run_until(io, [&] { return many.probes == 200; }));
  expect_places(100, start);
}

TEST(HealthCheckerPace, AsksAfterAnotherTimeEachTime) {
  boost::asio::io_context io;
  conf::Health health = quick();
  health.interval = health.fast_interval = 400ms;
  Many many(io, 50, health);
  HealthChecker checker(io, many.targets, many.options);
  checker.start();
  // Probes begin at multiples of 20 ms: between 360 and 460 ms apart, or later where the machine is slow.
  std::vector<int> gaps(6);  // how many of 360 to 380 ms and so on; the last: of longer ones
  const auto count = [&] {
    gaps.assign(6, 0);
    for (const auto& each : many.began) {
      for (std::size_t i = 1; i < each.size(); ++i) {
        const auto gap = each[i] - each[i - 1];
        EXPECT_GE(gap, 360ms);
        ++gaps[static_cast<std::size_t>(std::min((gap - 360ms) / 20ms, std::int64_t{5}))];
      }
    }
    return std::ranges::all_of(gaps.begin(), gaps.begin() + 4, [](int n) { return n >= 5; });
  };
  EXPECT_TRUE(run_until(io, [&] { return many.probes > 100 && count(); })) << testing::PrintToString(gaps);
}

}  // namespace
}  // namespace telltale::proxy
