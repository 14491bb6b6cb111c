#include "proxy/upstream/balancers/least_request.h"

#include "tests/unit/proxy/upstream/balancers/support.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

using Loads = std::vector<std::uint32_t>;

std::unique_ptr<Balancer> least_request(const std::vector<Candidate>& all) {
  return test::make_balancer(conf::BalancePolicy::least_request, all, 3);
}

std::vector<double> counts(Balancer& balancer, const Loads& loads, std::size_t picks) {
  std::vector<double> all(loads.size());
  for (std::size_t i = 0; i < picks; ++i) ++all.at(balancer.pick({0, loads, {}}));
  return all;
}

TEST(LeastRequest, OfTwoTakesTheLessBusy) {
  struct Case {
    const char* description;
    std::vector<double> weights;
    Loads loads;
    std::uint32_t picked;
  };
  const Case cases[] = {
      {"one idle", {1, 1}, {1, 0}, 1},
      {"the other", {1, 1}, {0, 1}, 0},
      {"busy both, one less", {1, 1}, {1000, 999}, 1},
      {"a heavy one that hangs", {3, 1}, {300, 0}, 1},
      {"a light one that hangs", {3, 1}, {0, 300}, 0},
      {"busier, but not for its weight", {10, 1}, {50, 6}, 0},
      {"less busy, but not for its weight", {1, 10}, {6, 50}, 1},
  };
  for (const Case& c : cases) {
    const auto balancer = least_request(test::candidates(c.weights));
    EXPECT_EQ(counts(*balancer, c.loads, 200).at(c.picked), 200) << c.description;
  }
}

TEST(LeastRequest, NeverTakesTheBusiestOfMany) {
  const auto balancer = least_request(test::equal_candidates(10));
  const Loads loads = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  const auto all = counts(*balancer, loads, 90'000);
  // The place of i in the order of loads: it wins against 9 - i of the others.
  for (std::size_t i = 0; i < 10; ++i) EXPECT_NEAR(all[i], 2000.0 * static_cast<double>(9 - i), 500) << i;
  EXPECT_EQ(all[9], 0);
}

TEST(LeastRequest, WhoCameAfterTheLoadsWereCountedIsIdle) {
  const auto balancer = least_request(test::equal_candidates(2));
  const Loads loads = {1};
  for (int i = 0; i < 50; ++i) EXPECT_EQ(balancer->pick({0, loads, {}}), 1u);
}

/// The load of one of two avoided ones must not bring it back.
TEST(LeastRequest, AvoidsHoweverIdle) {
  const auto balancer = least_request(test::equal_candidates(3));
  const Loads loads = {0, 100, 100};
  const std::uint32_t avoid[] = {0};
  for (int i = 0; i < 300; ++i) EXPECT_NE(balancer->pick({0, loads, avoid}), 0u);
}

/// So many requests in flight, of which one at a time ends anywhere: what is the most that an endpoint has for its
/// weight? In means.
double busiest(Balancer& balancer, const std::vector<Candidate>& all, std::size_t in_flight) {
  Loads loads(all.size());
  std::vector<std::uint32_t> requests;
  RandomSource random(4);
  double busiest = 0;
  for (int i = 0; i < 100'000; ++i) {
    if (requests.size() == in_flight) {
      auto& ends = requests[random.below(static_cast<std::uint32_t>(in_flight))];
      --loads[ends];
      ends = requests.back();
      requests.pop_back();
    }
    const std::uint32_t picked = balancer.pick({0, loads, {}});
    ++loads[picked];
    requests.push_back(picked);
    const double mean = static_cast<double>(in_flight) * all[picked].weight / test::sum_of(all);
    if (i > 50'000) busiest = std::max(busiest, loads[picked] / mean);
  }
  return busiest;
}

TEST(LeastRequest, IsMoreEvenThanChance) {
  for (const bool weighted : {false, true}) {
    std::vector<double> weights;
    for (int i = 0; i < 100; ++i) weights.push_back(weighted ? 1 + i % 5 : 1);
    const auto all = test::candidates(weights);
    const std::size_t in_flight = 20 * static_cast<std::size_t>(test::sum_of(all));
    const double even = busiest(*least_request(all), all, in_flight);
    const double chance = busiest(*test::make_balancer(conf::BalancePolicy::random, all), all, in_flight);
    EXPECT_LT(even, 1.35) << weighted;
    EXPECT_GT(chance, 1.6) << weighted;
  }
}

/// Where there is little to do, weights still are shares: comparing load/weight alone would give the light one half of
/// it here, (load+1)/weight nothing.
TEST(LeastRequest, SharesByWeightWhenThereIsLittleInFlight) {
  const auto all = test::candidates({100, 1});
  const auto balancer = least_request(all);
  Loads loads(2);
  std::vector<double> picked(2);
  std::uint32_t before = balancer->pick({0, loads, {}});
  ++loads[before];
  for (int i = 0; i < 101'000; ++i) {
    const std::uint32_t next = balancer->pick({0, loads, {}});
    ++picked[next];
    --loads[before];
    ++loads[next];
    before = next;
  }
  EXPECT_NEAR(picked[1], 1000, 150);
}

}  // namespace
}  // namespace telltale::proxy
