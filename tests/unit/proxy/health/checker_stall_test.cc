#include "proxy/health/checker.h"
#include "proxy/net/event_loop.h"
#include "tests/unit/proxy/health/checked.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::proxy {
namespace {

using namespace test;
using Clock = std::chrono::steady_clock;

/// More than a pass of an EventLoop takes.
constexpr std::size_t many = EventLoop::max_events + 44;

conf::Health strict_health(conf::ProbeKind kind = conf::ProbeKind::http) {
  conf::Health health = quick(kind);
  health.interval = health.fast_interval = 400ms;
  health.timeout = 200ms;
  health.fall = 1;
  return health;
}

/// Targets that live on while their checker does not run: a loop for each side.
struct Stalled {
  explicit Stalled(FakeNode::Script script, const conf::Health& health, std::size_t count = many)
      : node(nodes, std::move(script)) {
    std::vector<ProbeTarget> targets;
    for (std::size_t i = 0; i < count; ++i) targets.push_back(target_at(node.address(), health));
    HealthCheckerOptions options;
    options.seed = 1;
    options.on_probe = [this](const ProbeTarget&, const ProbeResult&) { ++probes; };
    options.on_success = [this](const ProbeTarget&, Clock::time_point when) { began.push_back(when); };
    options.on_change = [this](const ProbeTarget& target, HealthState) {
      ++changes[static_cast<std::size_t>(target.verdict->state())];
    };
    checker.emplace(io, std::move(targets), std::move(options));
    checker->start();
  }

  template <class Condition>
  bool until(Condition condition) {
    return run_until(io, [&] {
      nodes.poll();
      return condition();
    });
  }
  bool until_healthy(std::size_t count = many) {
    return until([&] { return changed_to(HealthState::healthy) == count; });
  }
  std::size_t changed_to(HealthState state) const { return changes[static_cast<std::size_t>(state)]; }
  /// Begins probes that get no answer for now.
  void ask_for(Clock::duration time) { io.run_for(time); }
  /// The nodes do what they have to, the checker is not run.
  void stall_for(Clock::duration time) { nodes.run_for(time); }

  boost::asio::io_context io, nodes;
  LogCapture log;
  FakeNode node;
  std::size_t probes = 0;
  std::array<std::size_t, 4> changes{};  // by the state that it came to
  std::vector<Clock::time_point> began;
  std::optional<HealthChecker> checker;
};

TEST(HealthCheckerStall, AnswersThatCameMeanwhileCount) {
  struct Case {
    const char* description;
    FakeNode::Answer answer;
    conf::ProbeKind kind;
  };
  const Case cases[] = {
      {"a kept connection, the answer as before", {response(200, "ok")}, conf::ProbeKind::http},
      {"a connection for each probe, which needs more than an answer",
       {response(200, "ok"), Then::close},
       conf::ProbeKind::http},
      {"an answer that is another each time", {}, conf::ProbeKind::http},
      {"a connection alone", {}, conf::ProbeKind::tcp},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.description);
    const auto script = [&c, n = 0](std::string_view) mutable {
      return c.answer.octets.empty() ? FakeNode::Answer{response(200, std::to_string(++n))} : c.answer;
    };
    Stalled stalled(script, strict_health(c.kind));
    ASSERT_TRUE(stalled.until_healthy());
    stalled.ask_for(150ms);
    stalled.stall_for(500ms);
    const std::size_t probes = stalled.probes;
    ASSERT_TRUE(stalled.until([&] { return stalled.probes >= probes + 2 * many; }));
    EXPECT_EQ(stalled.changed_to(HealthState::unhealthy), 0u) << stalled.log.text();
  }
}

TEST(HealthCheckerStall, WhoDoesNotAnswerIsFoundOutAllTheSame) {
  bool answers = true;
  Stalled stalled(
      [&](std::string_view) {
        return answers ? FakeNode::Answer{response(200, "ok")} : FakeNode::Answer{"", Then::hang};
      },
      strict_health(), 10);
  ASSERT_TRUE(stalled.until_healthy(10));
  answers = false;
  stalled.ask_for(150ms);
  stalled.stall_for(500ms);
  ASSERT_TRUE(stalled.until([&] { return stalled.changed_to(HealthState::unhealthy) == 10; }));
  EXPECT_NE(stalled.log.text().find("timed out waiting for the answer"), std::string::npos);
}

TEST(HealthCheckerStall, WhatIsOverdueIsSpread) {
  Stalled stalled(always(response(200, "ok")), strict_health());
  ASSERT_TRUE(stalled.until_healthy());
  ASSERT_TRUE(stalled.until([&] { return stalled.probes >= 2 * many; }));
  stalled.stall_for(900ms);
  const auto over = Clock::now();
  std::vector<Clock::time_point> after;
  ASSERT_TRUE(stalled.until([&] {
    after.clear();
    std::ranges::copy_if(stalled.began, std::back_inserter(after), [&](auto when) { return when >= over; });
    return after.size() >= many;
  }));
  std::ranges::sort(after);
  // A millisecond for each before it, but for the first 100 ms of them; also when more looks are late.
  for (std::size_t i = 0; i < many; ++i) EXPECT_GE(after[i] - over + 100ms, i * 1ms) << i;
}

}  // namespace
}  // namespace telltale::proxy
