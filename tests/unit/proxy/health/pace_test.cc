#include "proxy/health/pace.h"

#include "proxy/health/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

TEST(ProbePace, JitterIsEvenBetweenMinusAndPlusTenPercent) {
  constexpr int draws = 20'000, buckets = 20;
  for (const std::uint64_t seed : {0u, 1u, 7u, 123'456'789u, 4'000'000'000u}) {
    std::minstd_rand random(static_cast<std::minstd_rand::result_type>(seed));
    std::vector<int> counts(buckets);
    double sum = 0, products = 0, squares = 0, before = 0;
    for (int i = 0; i < draws; ++i) {
      const double seconds = Seconds(jittered(5s, random)).count();
      ASSERT_GE(seconds, 4.5);
      ASSERT_LT(seconds, 5.5);
      ++counts[static_cast<std::size_t>((seconds - 4.5) * buckets)];
      const double off = seconds - 5;
      sum += seconds, squares += off * off, products += off * before;
      before = off;
    }
    EXPECT_NEAR(sum / draws, 5, 0.01) << seed;
    EXPECT_NEAR(squares / draws, 1.0 / 12, 0.002) << seed << ": the variance of an even distribution";
    EXPECT_NEAR(products / squares, 0, 0.03) << seed << ": one says nothing of the next";
    for (const int count : counts) EXPECT_NEAR(count, draws / buckets, 150) << seed;
  }
}

TEST(ProbePace, SpreadGivesEachItsPlace) {
  struct Case {
    std::size_t place, count;
    conf::Milliseconds interval;
    Clock::duration delay;
  };
  const Case cases[] = {
      {0, 1, 5s, 0s},           {0, 100, 5s, 0s},           {99, 100, 5s, 99ms},
      {4999, 5000, 5s, 4999ms}, {5000, 10'000, 5s, 2500ms}, {9999, 10'000, 5s, 4999500us},
      {9, 10, 10ms, 9ms},       {99, 100, 10ms, 9900us},
  };
  for (const Case& c : cases)
    EXPECT_EQ(spread_delay(c.place, c.count, c.interval), c.delay) << c.place << "/" << c.count;
}

TEST(ProbePace, SpreadFillsTheIntervalEvenly) {
  constexpr std::size_t targets = 10'000;
  std::vector<int> begun(50);  // in each tenth of a second
  for (std::size_t i = 0; i < targets; ++i) ++begun.at(static_cast<std::size_t>(spread_delay(i, targets, 5s) / 100ms));
  EXPECT_EQ(begun, std::vector<int>(50, 200));
}

/// How many of 1,000 targets with an interval of 5 s are asked in each twentieth of a second, for ten intervals, once
/// so many have passed. The first probes come after `delay(target)`.
template <class Delay>
std::vector<int> asked(int intervals, Delay delay) {
  constexpr std::size_t targets = 1000;
  std::minstd_rand random(5);
  Schedule schedule(targets);
  for (std::size_t i = 0; i < targets; ++i) schedule.set(i, Clock::time_point() + delay(i));
  std::vector<int> counts;
  for (int slice = 0; slice < (intervals + 10) * 100; ++slice) {
    const auto now = Clock::time_point() + slice * 50ms;
    int count = 0;
    for (; const auto target = schedule.pop_due(now); ++count) schedule.set(*target, now + jittered(5s, random));
    if (slice >= intervals * 100) counts.push_back(count);
  }
  return counts;
}

TEST(ProbePace, WhatBeganTogetherIsAskedEvenlyAfterAWhile) {
  const auto most = [](const std::vector<int>& counts) { return *std::ranges::max_element(counts); };
  EXPECT_EQ(most(asked(0, [](std::size_t) { return 0s; })), 1000) << "all at once";
  EXPECT_LE(most(asked(0, [](std::size_t i) { return spread_delay(i, 1000, 5s); })), 75) << "a millisecond for each";
  // Ten each on the average. Were they independent, 27 in one would come once in 100,000.
  for (const bool spread : {false, true}) {
    const auto counts = asked(500, [&](std::size_t i) { return spread ? spread_delay(i, 1000, 5s) : 0s; });
    EXPECT_LE(most(counts), 26) << spread;
    int quarter = 0;  // of an interval and more: 250 on the average
    for (std::size_t i = 0; i < counts.size(); ++i) {
      quarter += counts[i];
      if (i % 25 < 24) continue;
      EXPECT_NEAR(quarter, 250, 65) << spread << ": no wave is left";
      quarter = 0;
    }
  }
}

}  // namespace
}  // namespace telltale::proxy
