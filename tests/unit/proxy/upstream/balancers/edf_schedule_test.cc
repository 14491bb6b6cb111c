#include "proxy/upstream/balancers/edf_schedule.h"

#include "proxy/upstream/balancers/hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace telltale::proxy {
namespace {

std::vector<EdfSchedule::Item> items(const std::vector<double>& weights, std::uint64_t seed) {
  std::vector<EdfSchedule::Item> all;
  std::uint64_t phase = mix64(seed);
  for (const double weight : weights) all.push_back({weight, unit_interval(phase += golden64)});
  return all;
}

const std::vector<std::vector<double>> tables = {{1}, {5, 1, 1}, {1, 2}, {3, 1, 7}, {100, 1}, {2, 2, 1, 1, 13}};

TEST(EdfSchedule, SharesByWeightExactlyOverEachRound) {
  for (const auto& weights : tables) {
    double sum = 0;
    for (const double weight : weights) sum += weight;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      EdfSchedule schedule(items(weights, seed));
      for (int round = 0; round < 3; ++round) {
        std::vector<double> counts(weights.size());
        for (double turn = 0; turn < sum; ++turn) ++counts.at(schedule.next());
        EXPECT_EQ(counts, weights) << "seed " << seed;
      }
    }
  }
}

/// At any time each item has had its share of the turns, but for two.
TEST(EdfSchedule, SpreadsTurnsEvenly) {
  std::vector<double> weights;
  RandomSource random(1);
  double sum = 0;
  for (int i = 0; i < 300; ++i) sum += weights.emplace_back(1 + random.below(1000));
  EdfSchedule schedule(items(weights, 3));
  std::vector<double> counts(weights.size());
  for (double turns = 1; turns <= 20'000; ++turns) {
    ++counts.at(schedule.next());
    for (std::size_t i = 0; i < weights.size(); ++i) ASSERT_LT(std::abs(counts[i] - turns * weights[i] / sum), 2);
  }
}

TEST(EdfSchedule, BeginsByPhase) {
  EdfSchedule schedule(std::vector<EdfSchedule::Item>{{1, 0.5}, {1, 0.25}, {1, 0}, {1, 0.75}});
  for (const std::size_t item : {2u, 1u, 0u, 3u, 2u, 1u, 0u, 3u}) EXPECT_EQ(schedule.next(), item);
}

TEST(EdfSchedule, SkipsWithoutTakingTheTurn) {
  for (const auto& weights : tables) {
    if (weights.size() < 2) continue;
    EdfSchedule schedule(items(weights, 5)), undisturbed(items(weights, 5));
    const std::size_t first = undisturbed.next();
    const auto is_first = [&](std::size_t item) { return item == first; };
    EXPECT_NE(schedule.next(is_first, 1), first);
    EXPECT_EQ(schedule.next(), first) << "its turn still waits";
  }
}

TEST(EdfSchedule, GivesTheNextWhenAllWouldBeSkipped) {
  for (const std::size_t most : {0u, 1u, 3u, 10u}) {
    EdfSchedule schedule(items({100, 7, 1}, 5)), undisturbed(items({100, 7, 1}, 5));
    for (int i = 0; i < 50; ++i) {
      const std::size_t item = schedule.next([](std::size_t) { return true; }, most);
      ASSERT_LT(item, 3u);
      if (most == 0 || most >= 3) {
        ASSERT_EQ(item, undisturbed.next());
      }
    }
  }
}

}  // namespace
}  // namespace telltale::proxy
