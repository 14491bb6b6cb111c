#include "proxy/upstream/circuit_breaker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace telltale::proxy {
namespace {

TEST(SharedCount, TakesUpToItsLimit) {
  SharedCount count;
  EXPECT_TRUE(count.take(2));
  EXPECT_TRUE(count.take(2));
  EXPECT_FALSE(count.take(2));
  count.give_back();
  EXPECT_TRUE(count.take(2));
  EXPECT_EQ(count.value(), 2u);
  EXPECT_TRUE(count.take(0)) << "0: no limit";
}

TEST(SharedCount, IsNeverBeyondItsLimitAndComesBackToZero) {
  constexpr std::uint32_t limit = 3;
  SharedCount count;
  std::atomic<std::uint32_t> most{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 20'000; ++n) {
        if (!count.take(limit)) continue;
        std::uint32_t seen = count.value(), before = most.load();
        while (seen > before && !most.compare_exchange_weak(before, seen)) {
        }
        count.give_back();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(most.load(), limit);
  EXPECT_GT(most.load(), 0u);
  EXPECT_EQ(count.value(), 0u);
}

TEST(Permit, GivesBackOnceWhatItTook) {
  SharedCount count;
  {
    Permit permit;
    EXPECT_TRUE(permit.take(count, 1));
    Permit other;
    EXPECT_FALSE(other.take(count, 1));
    Permit moved = std::move(permit);
    EXPECT_EQ(count.value(), 1u);
    moved.release();
    EXPECT_EQ(count.value(), 0u);
    EXPECT_TRUE(other.take(count, 1));
  }
  EXPECT_EQ(count.value(), 0u);
}

TEST(RetryBudget, IsAShareOfTheRequestsOrTheLeast) {
  const struct {
    const char* description;
    unsigned budget, min_concurrent;
    std::uint64_t retries, requests;
    bool within;
  } rows[] = {
      {"the first of few requests", 20, 3, 0, 1, true},
      {"the third of few requests", 20, 3, 2, 3, true},
      {"the fourth of few requests", 20, 3, 3, 4, false},
      {"one in five", 20, 0, 0, 5, true},
      {"one in four", 20, 0, 0, 4, false},
      {"twenty in a hundred", 20, 3, 19, 100, true},
      {"twenty-one in a hundred", 20, 3, 20, 100, false},
      {"all of them", 100, 0, 99, 100, true},
      {"no share: the least alone", 0, 2, 1, 1000, true},
      {"no share: no more than the least", 0, 2, 2, 1000, false},
      {"nothing", 0, 0, 0, 1000, false},
  };
  for (const auto& row : rows) {
    conf::Retries retries;
    retries.budget = row.budget;
    retries.min_concurrent = row.min_concurrent;
    EXPECT_EQ(within_budget(retries, row.retries, row.requests), row.within) << row.description;
  }
}

}  // namespace
}  // namespace telltale::proxy
