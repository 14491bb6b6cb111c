// What holds for every balancer.
#include "proxy/upstream/balancer.h"

#include "tests/unit/proxy/upstream/balancers/support.h"

#include <gtest/gtest.h>

#include <set>

namespace telltale::proxy {
namespace {

using conf::BalancePolicy;

constexpr BalancePolicy policies[] = {BalancePolicy::round_robin, BalancePolicy::least_request, BalancePolicy::random,
                                      BalancePolicy::maglev, BalancePolicy::ring_hash};
constexpr const char* names[] = {"round_robin", "least_request", "random", "maglev", "ring_hash"};

class EveryBalancer : public testing::TestWithParam<BalancePolicy> {
 protected:
  bool hashes() const { return GetParam() == BalancePolicy::maglev || GetParam() == BalancePolicy::ring_hash; }
};
INSTANTIATE_TEST_SUITE_P(, EveryBalancer, testing::ValuesIn(policies),
                         [](const auto& each) { return std::string(names[static_cast<std::size_t>(each.param)]); });

/// The test of the tests: a share that is off by a twentieth must be seen.
TEST(ChiSquare, TellsChanceFromBias) {
  RandomSource random(7);
  std::vector<double> fair(100), biased(100);
  const std::vector<double> expected(100, 1000);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint32_t at = random.below(100);
    ++fair[at];
    ++biased[at % 20 == 0 && random.below(20) == 0 ? at + 1 : at];
  }
  EXPECT_LT(test::chi_square_deviations(fair, expected), 4);
  EXPECT_GT(test::chi_square_deviations(fair, expected), -4);
  biased[7] *= 1.05, biased[8] *= 0.95;
  biased[50] *= 0.8;
  EXPECT_GT(test::chi_square_deviations(biased, expected), 4);
}

TEST_P(EveryBalancer, SharesByWeight) {
  for (const std::size_t count : {2u, 10u, 100u, 1000u}) {
    for (const bool weighted : {false, true}) {
      SCOPED_TRACE(std::to_string(count) + (weighted ? " of different weights" : " of equal weights"));
      const auto all = weighted ? test::weighted_candidates(count) : test::equal_candidates(count);
      const auto balancer = test::make_balancer(GetParam(), all);
      const std::vector<std::uint32_t> loads(count);
      const std::size_t picks = std::max<std::size_t>(20'000, 300 * count);
      std::vector<double> counts(count), expected;
      RandomSource random(11);
      for (std::size_t i = 0; i < picks; ++i) ++counts.at(balancer->pick({random.next(), loads, {}}));
      const double sum = test::sum_of(all);
      for (const Candidate& each : all) expected.push_back(static_cast<double>(picks) * each.weight / sum);
      // The shares of a ring are themselves drawn by chance: each has so many of its points.
      const double points = 65537.0 * static_cast<double>(std::min<std::size_t>(count, 64)) / 64;
      const double dispersion =
          GetParam() == BalancePolicy::ring_hash ? 1 + static_cast<double>(picks) / (points + 1) : 1;
      EXPECT_LT(test::chi_square_deviations(counts, expected, dispersion), 4);
    }
  }
}

TEST_P(EveryBalancer, TakesTheOnlyCandidate) {
  for (const double weight : {1.0, 0.001, 4e9}) {
    const Candidate only{7, weight, 12345};
    const auto balancer = test::make_balancer(GetParam(), {&only, 1});
    const std::vector<std::uint32_t> loads(8, 3), avoid = {7};
    RandomSource random(3);
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(balancer->pick({random.next(), loads, {}}), 7u);
      EXPECT_EQ(balancer->pick({random.next(), loads, avoid}), 7u) << "there is no other";
    }
  }
}

struct AvoidCase {
  const char* description;
  std::vector<double> weights;
  std::vector<std::uint32_t> avoid;
  std::set<std::uint32_t> allowed;
};
const AvoidCase avoid_cases[] = {
    {"equal weights, one avoided", {1, 1, 1}, {0}, {1, 2}},
    {"equal weights, two avoided", {1, 1, 1}, {2, 0}, {1}},
    {"equal weights, all avoided: anyone", {1, 1, 1}, {0, 1, 2}, {0, 1, 2}},
    {"the same one twice", {1, 1}, {0, 0}, {1}},
    {"one that is no candidate", {1, 1}, {9}, {0, 1}},
    {"the heaviest avoided", {100, 1, 1}, {0}, {1, 2}},
    {"one that has nearly all", {1e6, 1, 1}, {0}, {1, 2}},
    {"a light one avoided", {100, 1, 1}, {1}, {0, 2}},
    {"two of three weights", {100, 7, 1}, {0, 1}, {2}},
    {"weights, all avoided: anyone", {100, 7, 1}, {1, 0, 2}, {0, 1, 2}},
    {"all of a magnitude avoided", {5, 4, 100, 90}, {2, 3}, {0, 1}},
    {"most of two magnitudes avoided", {5, 4, 100, 90}, {2, 0, 3}, {1}},
};

TEST_P(EveryBalancer, AvoidsWhileThereIsAnother) {
  for (const AvoidCase& c : avoid_cases) {
    SCOPED_TRACE(c.description);
    const auto balancer = test::make_balancer(GetParam(), test::candidates(c.weights));
    const std::vector<std::uint32_t> loads(c.weights.size());
    RandomSource random(5);
    std::set<std::uint32_t> picked;
    for (int i = 0; i < 2000; ++i) {
      picked.insert(balancer->pick({random.next(), loads, c.avoid}));
      if (i % 3 == 0) balancer->pick({random.next(), loads, {}});
    }
    EXPECT_TRUE(std::includes(c.allowed.begin(), c.allowed.end(), picked.begin(), picked.end()))
        << testing::PrintToString(picked);
    EXPECT_EQ(picked.size(), c.allowed.size()) << "nobody of those is left out";
  }
}

TEST_P(EveryBalancer, AvoidsAmongThousands) {
  const auto all = test::weighted_candidates(10'000);
  const auto balancer = test::make_balancer(GetParam(), all);
  const std::vector<std::uint32_t> loads(all.size());
  RandomSource random(6);
  std::vector<std::uint32_t> avoid;
  for (int request = 0; request < 1000; ++request) {
    const std::uint64_t hash = random.next();
    avoid.clear();
    for (int tries = 0; tries < 4; ++tries) {
      const std::uint32_t picked = balancer->pick({hash, loads, avoid});
      ASSERT_EQ(std::count(avoid.begin(), avoid.end(), picked), 0);
      avoid.push_back(picked);
    }
  }
}

TEST_P(EveryBalancer, EachWorkerHasItsOwn) {
  const auto all = test::weighted_candidates(50);
  conf::Balance balance;
  balance.policy = GetParam();
  const std::uint64_t seeds[] = {1, 2, 3};
  const auto workers = make_balancers(balance, all, seeds);
  ASSERT_EQ(workers.size(), 3u);
  const std::vector<std::uint32_t> loads(all.size());
  std::vector<std::vector<std::uint32_t>> picks(3);
  RandomSource random(8);
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t hash = random.next();
    for (std::size_t worker = 0; worker < 3; ++worker)
      picks[worker].push_back(workers[worker]->pick({hash, loads, {}}));
  }
  if (hashes()) {
    EXPECT_EQ(picks[0], picks[1]) << "the same hash goes to the same endpoint, whoever got it";
    EXPECT_EQ(picks[0], picks[2]);
  } else {
    EXPECT_NE(picks[0], picks[1]) << "workers do not march in step";
    EXPECT_NE(picks[0], picks[2]);
    EXPECT_NE(picks[1], picks[2]);
  }
}

/// Whom a hash goes to instead must not depend on the order of candidates either, even where the one that has nearly
/// all is avoided.
TEST(HashingBalancer, GoesOnAlikeWhateverTheOrder) {
  const auto all = test::candidates({1, 1, 1, 1e7, 1, 1, 1, 1, 1});
  const std::uint32_t avoid[] = {3};
  for (const BalancePolicy policy : {BalancePolicy::maglev, BalancePolicy::ring_hash}) {
    const auto one = test::make_balancer(policy, all), other = test::make_balancer(policy, test::shuffled(all));
    std::set<std::uint32_t> picked;
    for (std::uint32_t client = 0; client < 500; ++client) {
      const PickInput input{test::client_hash(client), {}, avoid};
      const std::uint32_t endpoint = one->pick(input);
      EXPECT_EQ(endpoint, other->pick(input));
      EXPECT_NE(endpoint, 3u);
      picked.insert(endpoint);
    }
    EXPECT_EQ(picked.size(), 8u) << "all of the others help";
  }
}

TEST_P(EveryBalancer, RepeatsItselfByItsSeed) {
  const auto all = test::weighted_candidates(50);
  const std::vector<std::uint32_t> loads(all.size());
  const auto one = test::make_balancer(GetParam(), all, 77), other = test::make_balancer(GetParam(), all, 77);
  for (std::uint64_t i = 0; i < 500; ++i) {
    EXPECT_EQ(one->pick({mix64(i), loads, {}}), other->pick({mix64(i), loads, {}}));
  }
}

/// Slow start and probes give weights that are no whole numbers, of any magnitude.
TEST_P(EveryBalancer, TakesWeightsOfAnyMagnitude) {
  const std::vector<double> weights = {0.015625, 0.3, 1, 2.5, 1000.25, 65536, 4294967295.0, 1e-6};
  const auto balancer = test::make_balancer(GetParam(), test::candidates(weights));
  const std::vector<std::uint32_t> loads(weights.size());
  RandomSource random(9);
  int heaviest = 0;
  for (int i = 0; i < 10'000; ++i) heaviest += balancer->pick({random.next(), loads, {}}) == 6;
  EXPECT_GT(heaviest, 9900);
}

/// Who comes and goes all the time has everybody's balancer made anew: nobody may be favoured by where it begins.
TEST(SeededBalancer, StarvesNobodyWhenMadeAnewForEachPick) {
  const auto all = test::candidates({3, 2, 1});
  const std::vector<std::uint32_t> loads(all.size());
  for (const BalancePolicy policy : {BalancePolicy::round_robin, BalancePolicy::least_request, BalancePolicy::random}) {
    std::vector<double> counts(3);
    for (std::uint64_t seed = 0; seed < 6000; ++seed) {
      ++counts.at(test::make_balancer(policy, all, seed)->pick({0, loads, {}}));
    }
    EXPECT_NEAR(counts[0], 3000, 300) << names[static_cast<std::size_t>(policy)];
    EXPECT_NEAR(counts[1], 2000, 300) << names[static_cast<std::size_t>(policy)];
    EXPECT_NEAR(counts[2], 1000, 300) << names[static_cast<std::size_t>(policy)];
  }
}

}  // namespace
}  // namespace telltale::proxy
