#include "proxy/upstream/balancers/round_robin.h"

#include "tests/unit/proxy/upstream/balancers/support.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

std::unique_ptr<Balancer> round_robin(const std::vector<Candidate>& all, std::uint64_t seed) {
  return test::make_balancer(conf::BalancePolicy::round_robin, all, seed);
}

std::string sequence(Balancer& balancer, std::size_t picks, std::span<const std::uint32_t> avoid = {}) {
  std::string names;
  for (std::size_t i = 0; i < picks; ++i) names += static_cast<char>('a' + balancer.pick({0, {}, avoid}));
  return names;
}

TEST(RoundRobin, RotatesOverEqualWeights) {
  const auto all = test::candidates({2, 2, 2});
  EXPECT_EQ(sequence(*round_robin(all, 0), 7), "abcabca");
  EXPECT_EQ(sequence(*round_robin(all, 1), 7), "bcabcab") << "another worker starts somewhere else";
}

TEST(RoundRobin, RetriesTakeNoTurnsOfFirstTries) {
  const auto two = round_robin(test::candidates({1, 1}), 0);
  const auto four = round_robin(test::candidates({1, 1, 1, 1}), 0);
  const std::uint32_t first[] = {0}, pair[] = {0, 1};
  EXPECT_EQ(sequence(*two, 1), "a");
  EXPECT_EQ(sequence(*two, 1, first), "b");
  EXPECT_EQ(sequence(*two, 1), "b") << "or each first try meets a, which fails";
  EXPECT_EQ(sequence(*four, 1), "a");
  EXPECT_EQ(sequence(*four, 6, first), "bcdbcd") << "the others share what one could not serve";
  EXPECT_EQ(sequence(*four, 2, pair), "cd");
  EXPECT_EQ(sequence(*four, 4), "bcda");
}

TEST(RoundRobin, BeginsAtEachEquallyOften) {
  const auto all = test::equal_candidates(10);
  std::vector<double> counts(10);
  for (std::uint64_t seed = 0; seed < 1000; ++seed) ++counts.at(round_robin(all, seed)->pick({}));
  for (const double count : counts) EXPECT_NEAR(count, 100, 2);
}

TEST(RoundRobin, SharesByWeightExactlyOverEachRound) {
  const std::vector<std::vector<double>> tables = {
      {5, 1, 1}, {1, 2}, {3, 7}, {100, 1}, {2, 2, 1, 1, 13}, {4, 5, 6, 7}, {4, 7, 2, 3, 3}, {64, 127, 100, 99, 3}};
  for (const auto& weights : tables) {
    const auto all = test::candidates(weights);
    // A class comes round after as many turns of its heaviest as that weighs: then all do.
    const auto picks = static_cast<std::size_t>(test::sum_of(all));
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      const auto balancer = round_robin(all, seed);
      for (int round = 0; round < 3; ++round) {
        std::vector<double> counts(weights.size());
        for (std::size_t i = 0; i < picks; ++i) ++counts.at(balancer->pick({}));
        EXPECT_EQ(counts, weights) << "seed " << seed;
      }
    }
  }
}

TEST(RoundRobin, SpreadsTheTurnsOfHeavyEndpoints) {
  EXPECT_EQ(sequence(*round_robin(test::candidates({5, 5, 1}), 0), 220).find("aaa"), std::string::npos);
  const std::string two_to_one = sequence(*round_robin(test::candidates({7, 4}), 0), 220);
  EXPECT_EQ(two_to_one.find("aaa"), std::string::npos) << two_to_one;
  EXPECT_EQ(two_to_one.find("bb"), std::string::npos) << two_to_one;
}

/// At any time each endpoint has had its share of the picks, but for two.
TEST(RoundRobin, IsSmooth) {
  struct Case {
    const char* description;
    std::size_t endpoints;
    std::uint32_t heaviest;
  };
  const Case cases[] = {{"few", 3, 10},
                        {"a dozen", 12, 100},
                        {"hundreds of a magnitude", 300, 2},
                        {"hundreds", 300, 1000},
                        {"a thousand", 1000, 1'000'000}};
  for (const Case& c : cases) {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      RandomSource random(seed);
      std::vector<double> weights;
      for (std::size_t i = 0; i < c.endpoints; ++i) weights.push_back(1 + random.below(c.heaviest));
      const auto all = test::candidates(weights);
      const double sum = test::sum_of(all);
      const auto balancer = round_robin(all, seed);
      std::vector<double> counts(weights.size());
      double farthest = 0;
      for (int picks = 1; picks <= 10'000; ++picks) {
        ++counts.at(balancer->pick({}));
        if (picks % 7 != 0) continue;
        for (std::size_t i = 0; i < weights.size(); ++i) {
          farthest = std::max(farthest, std::abs(counts[i] - picks * weights[i] / sum));
        }
      }
      EXPECT_LT(farthest, 2) << c.description << ", seed " << seed;
    }
  }
}

TEST(RoundRobin, ServesTenThousandEndpointsOnceEachRound) {
  std::vector<double> weights(10'000, 1);
  weights[77] = 2;
  const auto balancer = round_robin(test::candidates(weights), 9);
  std::vector<int> counts(weights.size());
  for (std::size_t i = 0; i < 3 * (weights.size() + 1); ++i) ++counts.at(balancer->pick({}));
  EXPECT_EQ(counts[77], 6);
  counts[77] = 3;
  EXPECT_EQ(counts, std::vector<int>(weights.size(), 3));
}

}  // namespace
}  // namespace telltale::proxy
