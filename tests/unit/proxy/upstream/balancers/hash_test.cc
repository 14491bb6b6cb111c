#include "proxy/upstream/balancers/hash.h"

#include "tests/unit/proxy/upstream/balancers/support.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>

namespace telltale::proxy {
namespace {

TEST(BalanceHash, IsXxh64) {
  struct Case {
    const char* description;
    std::size_t length;  // of the octets 0, 1, 2 …
    std::uint64_t hash;  // as xxhsum -H1 prints it
  };
  const Case cases[] = {
      {"nothing", 0, 0xef46db3751d8e999},
      {"an octet", 1, 0xe934a84adb052768},
      {"single octets", 3, 0xe5c7bb4533bc65dd},
      {"a word of 4", 4, 0xffced8604453cc1e},
      {"one of 4, and octets", 7, 0x14cc643f630c72d2},
      {"a word of 8", 8, 0x884a173614b81b8d},
      {"one of 8, one of 4, octets", 15, 0xa948f5f0f6abac2d},
      {"an IPv6 address", 16, 0x44b6ef2fb84169f7},
      {"the longest without a stripe", 31, 0xc346d2b59b4d8ee1},
      {"one stripe", 32, 0xcbf59c5116ff32b4},
      {"a stripe, and some of all", 47, 0x0d9883a03e7bfbb8},
      {"two stripes", 64, 0xf7c67301db6713f0},
      {"three stripes, a word of 4", 100, 0x6ac1e58032166597},
      {"more", 255, 0x0f7d97507caad693},
  };
  for (const Case& c : cases) {
    std::string octets;
    for (std::size_t i = 0; i < c.length; ++i) octets.push_back(static_cast<char>(i));
    EXPECT_EQ(balance_hash(octets), c.hash) << c.description;
  }
  EXPECT_EQ(balance_hash("abc"), 0x44bc2cf5ad770999u);
  EXPECT_EQ(balance_hash("10.0.0.1:8080"), 0xcb972177068eb685u);
}

/// Each bit of the input moves each bit of the output half of the time.
TEST(BalanceHash, Avalanches) {
  RandomSource random(1);
  for (const std::size_t length : {4u, 7u, 13u, 16u, 33u, 64u}) {
    constexpr int samples = 4000;
    std::vector<int> flips(length * 8 * 64);
    std::string octets(length, '\0');
    for (int sample = 0; sample < samples; ++sample) {
      for (char& octet : octets) octet = static_cast<char>(random.next());
      const std::uint64_t hash = balance_hash(octets);
      for (std::size_t bit = 0; bit < length * 8; ++bit) {
        octets[bit / 8] = static_cast<char>(octets[bit / 8] ^ 1 << bit % 8);
        const std::uint64_t changed = hash ^ balance_hash(octets);
        octets[bit / 8] = static_cast<char>(octets[bit / 8] ^ 1 << bit % 8);
        for (std::size_t out = 0; out < 64; ++out) flips[bit * 64 + out] += changed >> out & 1;
      }
    }
    const auto [fewest, most] = std::minmax_element(flips.begin(), flips.end());
    // The standard deviation is 32; of 32,768 pairs of bits, chance takes the farthest to 4.5 of them.
    EXPECT_GT(*fewest, samples / 2 - 6 * 32) << length;
    EXPECT_LT(*most, samples / 2 + 6 * 32) << length;
  }
}

/// What is hashed in practice differs in a few places: any bits that a balancer may go by must still be even.
TEST(BalanceHash, SpreadsNeighbours) {
  struct Case {
    const char* description;
    std::string (*input)(std::uint32_t i);
  };
  const Case cases[] = {
      {"IPv4 addresses, as octets",
       [](std::uint32_t i) {
         return std::string{10, static_cast<char>(i >> 16), static_cast<char>(i >> 8), static_cast<char>(i)};
       }},
      {"IPv6 addresses of a network, as octets",
       [](std::uint32_t i) {
         return std::string("\x20\x01\x0d\xb8\0\0\0\1\0\0\0\0\0", 13) + static_cast<char>(i >> 16) +
                static_cast<char>(i >> 8) + static_cast<char>(i);
       }},
      {"IPv6 addresses, each of another network",
       [](std::uint32_t i) {
         std::string octets("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0", 16);
         for (unsigned octet = 0; octet < 3; ++octet) octets[7 - octet] = static_cast<char>(i >> 8 * octet);
         return octets;
       }},
      {"endpoints",
       [](std::uint32_t i) { return "10." + std::to_string(i >> 8) + ".0." + std::to_string(i & 255) + ":80"; }},
      {"session numbers", [](std::uint32_t i) { return "session-00000000-" + std::to_string(i); }},
  };
  constexpr std::uint32_t inputs = 100'000;
  const std::vector<double> expected(256, inputs / 256.0);
  for (const Case& c : cases) {
    for (unsigned shift = 0; shift <= 56; shift += 8) {
      std::vector<double> counts(256);
      for (std::uint32_t i = 0; i < inputs; ++i) ++counts[balance_hash(c.input(i)) >> shift & 255];
      const double deviations = test::chi_square_deviations(counts, expected);
      EXPECT_LT(deviations, 4) << c.description << ", bits from " << shift;
      EXPECT_GT(deviations, -4) << c.description << ", bits from " << shift << ": more even than chance";
    }
  }
}

TEST(Mix64, Avalanches) {
  RandomSource random(2);
  constexpr int samples = 10'000;
  std::vector<int> flips(64 * 64);
  for (int sample = 0; sample < samples; ++sample) {
    const std::uint64_t x = random.next();
    for (unsigned bit = 0; bit < 64; ++bit) {
      const std::uint64_t changed = mix64(x) ^ mix64(x ^ std::uint64_t{1} << bit);
      for (unsigned out = 0; out < 64; ++out) flips[bit * 64 + out] += changed >> out & 1;
    }
  }
  const auto [fewest, most] = std::minmax_element(flips.begin(), flips.end());
  EXPECT_GT(*fewest, samples / 2 - 6 * 50);
  EXPECT_LT(*most, samples / 2 + 6 * 50);
}

TEST(RandomSource, IsEvenBelowAnyLimit) {
  for (const std::uint32_t limit : {2u, 3u, 10u, 1000u}) {
    RandomSource random(limit);
    std::vector<double> counts(limit);
    for (int i = 0; i < 200'000; ++i) ++counts.at(random.below(limit));
    EXPECT_LT(test::chi_square_deviations(counts, std::vector<double>(limit, 200'000.0 / limit)), 4) << limit;
  }
}

TEST(RandomSource, GivesNeighbouringSeedsNothingInCommon) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    RandomSource random(seed);
    for (int i = 0; i < 100; ++i) seen.insert(random.next());
  }
  EXPECT_EQ(seen.size(), 10'000u);
}

}  // namespace
}  // namespace telltale::proxy
