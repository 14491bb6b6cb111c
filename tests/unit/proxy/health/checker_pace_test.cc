#include "proxy/health/checker.h"
#include "tests/unit/proxy/health/checked.h"

#include <gtest/gtest.h>

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

TEST(HealthCheckerPace, SpreadsTheFirstProbes) {
  const LogCapture log;
  boost::asio::io_context io;
  FakeNode node(io, always(response(200, "")));
  std::vector<ProbeTarget> targets;
  for (int i = 0; i < 200; ++i) targets.push_back(target_at(node.address(), slow()));
  std::vector<std::chrono::steady_clock::time_point> first;
  HealthCheckerOptions options;
  options.on_change = [&](const ProbeTarget&, HealthState) { first.push_back(std::chrono::steady_clock::now()); };
  // A millisecond a target: however late the first ones are told, the others come no sooner.
  const auto expect_spread = [&](std::size_t from, std::chrono::steady_clock::time_point begun) {
    for (std::size_t i = 0; i < 100; ++i) EXPECT_GE(first[from + i] - begun, i * 1ms);
  };
  HealthChecker checker(io, {targets.begin(), targets.begin() + 100}, options);
  auto begun = std::chrono::steady_clock::now();
  checker.start();
  ASSERT_TRUE(run_until(io, [&] { return first.size() == 100; }));
  expect_spread(0, begun);
  begun = std::chrono::steady_clock::now();
  checker.update(targets);
  ASSERT_TRUE(run_until(io, [&] { return first.size() == 200; }));
  expect_spread(100, begun);
}

}  // namespace
}  // namespace telltale::proxy
