#include "proxy/upstream/balancers/maglev.h"

#include "tests/unit/proxy/upstream/balancers/support.h"

#include <gtest/gtest.h>

#include <map>

namespace telltale::proxy {
namespace {

Maglev::Table table(std::span<const Candidate> all, std::uint32_t size = 65537) {
  conf::Balance balance;
  balance.table_size = size;
  return {balance, all};
}

std::map<std::uint32_t, std::uint32_t> entries_of(const Maglev::Table& of) {
  std::map<std::uint32_t, std::uint32_t> counts;
  for (const std::uint32_t endpoint : of.entries()) ++counts[endpoint];
  return counts;
}

TEST(Maglev, GivesEqualWeightsEqualEntries) {
  for (const std::size_t count : {1u, 2u, 10u, 100u, 1000u, 10'000u}) {
    const auto counts = entries_of(table(test::equal_candidates(count)));
    ASSERT_EQ(counts.size(), count);
    const auto share = static_cast<std::uint32_t>(65537 / count);
    for (const auto& [endpoint, entries] : counts) EXPECT_TRUE(entries == share || entries == share + 1) << entries;
  }
}

TEST(Maglev, GivesWeightsTheirEntries) {
  const auto all = test::weighted_candidates(1000);
  const auto counts = entries_of(table(all));
  for (const Candidate& each : all) {
    EXPECT_NEAR(counts.at(each.endpoint), 65537 * each.weight / test::sum_of(all), 1.5) << each.weight;
  }
}

TEST(Maglev, LeavesNobodyOut) {
  struct Case {
    const char* description;
    std::vector<double> weights;
  };
  std::vector<double> one_stands_out(10'000, 1), many_magnitudes;
  one_stands_out[5000] = 1e9;
  for (int i = 0; i < 60; ++i) many_magnitudes.push_back(std::ldexp(1, -i));
  const Case cases[] = {{"one has nearly all", one_stands_out}, {"of many magnitudes", many_magnitudes}};
  for (const Case& c : cases) {
    EXPECT_EQ(entries_of(table(test::candidates(c.weights))).size(), c.weights.size()) << c.description;
  }
}

TEST(Maglev, MakesTheTableLargerWhereItWouldBeTooSmall) {
  struct Case {
    const char* description;
    std::uint32_t wanted;
    std::size_t endpoints;
    std::size_t size;
  };
  const Case cases[] = {
      {"as configured", 65537, 16'384, 65537}, {"fewer than four entries each", 65537, 16'385, 524'309},
      {"far too small", 7, 10'000, 229'393},   {"no prime number: the next", 65536, 10, 65537},
      {"the smallest there is", 0, 1, 17},
  };
  for (const Case& c : cases) {
    const auto made = table(test::equal_candidates(c.endpoints), c.wanted);
    EXPECT_EQ(made.entries().size(), c.size) << c.description;
    EXPECT_EQ(entries_of(made).size(), c.endpoints) << c.description;
  }
}

/// Discovery may tell endpoints in any order, and each process numbers them by itself.
TEST(Maglev, DoesNotDependOnTheOrderOfCandidates) {
  for (const auto& all : {test::equal_candidates(100), test::weighted_candidates(100)}) {
    auto other = test::shuffled(all);
    std::map<std::uint32_t, std::uint32_t> number;
    for (std::uint32_t i = 0; i < other.size(); ++i) {
      number[i] = other[i].endpoint;
      other[i].endpoint = i;
    }
    const auto one = table(all), renumbered = table(other);
    for (std::size_t i = 0; i < one.entries().size(); ++i) {
      ASSERT_EQ(one.entries()[i], number.at(renumbered.entries()[i]));
    }
  }
}

/// Pinned: proxies of two versions behind one address must agree, or an upgrade moves every client.
TEST(Maglev, IsTheSameInEveryVersion) {
  const auto fingerprint = [](const std::vector<Candidate>& all) {
    std::uint64_t mixed = 0;
    const auto made = table(all);
    for (const std::uint32_t endpoint : made.entries()) mixed = mix64(mixed + endpoint);
    return mixed;
  };
  EXPECT_EQ(fingerprint(test::equal_candidates(100)), 2465183060787887102u);
  EXPECT_EQ(fingerprint(test::weighted_candidates(100)), 2066267219453866143u);
}

/// Share of the hashes that went to others than `gone` before and do not go there now: beyond the minimum.
double moved_for_nothing(const Maglev::Table& before, const Maglev::Table& after, std::uint32_t gone) {
  double moved = 0;
  for (std::size_t i = 0; i < before.entries().size(); ++i) {
    moved += before.entries()[i] != gone && before.entries()[i] != after.entries()[i];
  }
  return moved / static_cast<double>(before.entries().size());
}

TEST(Maglev, MovesFewWhenOneLeaves) {
  struct Case {
    const char* description;
    std::vector<Candidate> all;
  };
  const Case cases[] = {
      {"of 10", test::equal_candidates(10)},
      {"of 100", test::equal_candidates(100)},
      {"of 100, weighted", test::weighted_candidates(100)},
      {"of 1000", test::equal_candidates(1000)},
      {"of 1000, weighted", test::weighted_candidates(1000)},
  };
  for (const Case& c : cases) {
    const auto before = table(c.all);
    for (std::size_t i = 0; i < c.all.size(); i += c.all.size() / 9) {
      auto others = c.all;
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
      EXPECT_LT(moved_for_nothing(before, table(others), c.all[i].endpoint), 0.02)
          << c.description << ", without " << i;
    }
  }
}

TEST(Maglev, MovesFewWhenAWeightChanges) {
  auto all = test::equal_candidates(100);
  const auto before = table(all);
  all[33].weight = 2;
  const auto after = table(all);
  double moved = 0;
  for (std::size_t i = 0; i < 65537; ++i) moved += before.entries()[i] != after.entries()[i];
  EXPECT_GT(moved / 65537, 0.0095) << "its share grew by a hundredth";
  EXPECT_LT(moved / 65537, 0.03);
}

/// Whose endpoint fails goes to the same second one, whichever proxy it asks, and not all to one.
TEST(Maglev, TakesTheSameDetourEverywhere) {
  const auto all = test::equal_candidates(20);
  const auto one = test::make_balancer(conf::BalancePolicy::maglev, all, 1);
  const auto other = test::make_balancer(conf::BalancePolicy::maglev, test::shuffled(all), 2);
  std::map<std::uint32_t, int> seconds;
  for (std::uint32_t client = 0; client < 20'000; ++client) {
    const std::uint64_t hash = test::client_hash(client);
    const std::uint32_t first = one->pick({hash, {}, {}});
    ASSERT_EQ(other->pick({hash, {}, {}}), first);
    const std::uint32_t second = one->pick({hash, {}, {&first, 1}});
    ASSERT_EQ(other->pick({hash, {}, {&first, 1}}), second);
    if (first == 0) ++seconds[second];
  }
  EXPECT_EQ(seconds.size(), 19u);
  for (const auto& [endpoint, count] : seconds) EXPECT_LT(count, 100) << endpoint << ": some 53 expected";
}

}  // namespace
}  // namespace telltale::proxy
