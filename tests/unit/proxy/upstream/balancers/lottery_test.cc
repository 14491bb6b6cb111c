#include "proxy/upstream/balancers/lottery.h"

#include "tests/unit/proxy/upstream/balancers/support.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

struct Case {
  const char* description;
  std::vector<double> weights;
};
const Case cases[] = {
    {"equal", {1, 1, 1, 1, 1}},
    {"two", {3, 1}},
    {"one stands out", {1000, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
    {"powers of two", {1, 2, 4, 8, 16, 32, 64, 128}},
    {"fractions", {0.1, 0.7, 1.3, 0.9}},
};

TEST(Lottery, DrawsByWeight) {
  for (const Case& c : cases) {
    const auto all = test::candidates(c.weights);
    const Lottery lottery(all);
    RandomSource random(1);
    std::vector<double> counts(all.size()), expected;
    for (int i = 0; i < 100'000; ++i) ++counts.at(lottery.draw(random));
    for (const double weight : c.weights) expected.push_back(100'000 * weight / test::sum_of(all));
    EXPECT_LT(test::chi_square_deviations(counts, expected), 4) << c.description;
  }
}

/// Given that the first is of a certain place, the second is drawn by weight among the others.
TEST(Lottery, DrawsTheSecondByWeightAmongTheOthers) {
  for (const Case& c : cases) {
    if (c.weights.size() == 2) continue;
    const auto all = test::candidates(c.weights);
    const Lottery lottery(all);
    RandomSource random(2);
    const std::size_t first = all.size() - 1;  // light enough that it is seldom drawn again and again
    std::vector<double> counts(all.size()), expected;
    for (int i = 0; i < 100'000; ++i) ++counts.at(lottery.draw_besides(random, first));
    EXPECT_EQ(counts[first], 0) << c.description;
    if (c.weights[first] > test::sum_of(all) / 3) continue;
    counts.pop_back();
    const double others = test::sum_of(all) - c.weights[first];
    for (std::size_t i = 0; i < first; ++i) expected.push_back(100'000 * c.weights[i] / others);
    EXPECT_LT(test::chi_square_deviations(counts, expected), 4) << c.description;
  }
}

TEST(Lottery, FindsASecondWhenTheFirstHasNearlyAll) {
  const Lottery lottery(test::candidates({1e9, 1, 1, 1}));
  RandomSource random(3);
  std::vector<double> counts(4);
  for (int i = 0; i < 30'000; ++i) ++counts.at(lottery.draw_besides(random, 0));
  EXPECT_EQ(counts[0], 0);
  counts.erase(counts.begin());
  EXPECT_LT(test::chi_square_deviations(counts, std::vector<double>(3, 10'000)), 4);
}

TEST(Lottery, SpreadsWhatAnAvoidedOneWouldHaveHad) {
  const Lottery lottery(test::candidates({1e9, 1, 1, 1}));
  RandomSource random(4);
  const std::uint32_t avoid[] = {0};
  std::vector<double> counts(4);
  for (int i = 0; i < 30'000; ++i) ++counts.at(lottery.draw(random, avoid));
  EXPECT_EQ(counts[0], 0);
  // Its successor has twice as much as the others: looking begins anywhere, and goes on past the avoided one.
  EXPECT_NEAR(counts[1], 15'000, 600);
  EXPECT_NEAR(counts[2], 7'500, 600);
}

TEST(Lottery, KnowsItsCandidates) {
  const std::vector<Candidate> all = {{17, 2.5, 0}, {4, 1, 0}};
  const Lottery lottery(all);
  EXPECT_EQ(lottery.endpoint(0), 17u);
  EXPECT_EQ(lottery.endpoint(1), 4u);
  EXPECT_EQ(lottery.weight(0), 2.5);
}

}  // namespace
}  // namespace telltale::proxy
