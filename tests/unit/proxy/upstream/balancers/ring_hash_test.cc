#include "proxy/upstream/balancers/ring_hash.h"

#include "tests/unit/proxy/upstream/balancers/support.h"

#include <gtest/gtest.h>

#include <map>

namespace telltale::proxy {
namespace {

std::unique_ptr<Balancer> ring_hash(const std::vector<Candidate>& all, std::uint32_t points = 65537) {
  return test::make_balancer(conf::BalancePolicy::ring_hash, all, 1, points);
}

constexpr std::uint32_t clients = 50'000;

std::vector<std::uint32_t> picks(Balancer& balancer) {
  std::vector<std::uint32_t> all;
  for (std::uint32_t client = 0; client < clients; ++client) {
    all.push_back(balancer.pick({test::client_hash(client), {}, {}}));
  }
  return all;
}

/// Beside the ring of one's own: all points, sorted, and the next one by looking at each.
TEST(RingHash, GoesToTheNextPoint) {
  struct Case {
    const char* description;
    std::size_t candidates;
    std::uint32_t points;
  };
  const Case cases[] = {{"few", 1, 1}, {"more", 3, 1024}, {"many", 10, 65537}, {"more candidates than points", 500, 7}};
  for (const Case& c : cases) {
    const auto all = test::equal_candidates(c.candidates);
    const auto shared_by = std::max<double>(64, static_cast<double>(c.candidates));
    const auto each = std::max<std::uint32_t>(4, static_cast<std::uint32_t>(std::lround(c.points / shared_by)));
    std::map<std::uint32_t, std::uint32_t> points;
    for (const Candidate& candidate : all) {
      RandomSource positions(candidate.key);
      for (std::uint32_t i = 0; i < each; ++i) {
        points.emplace(static_cast<std::uint32_t>(positions.next() >> 32), candidate.endpoint);
      }
    }
    const auto balancer = ring_hash(all, c.points);
    const auto expect = [&](std::uint32_t position) {
      const auto next = points.lower_bound(position);
      EXPECT_EQ(balancer->pick({std::uint64_t{position} << 32, {}, {}}),
                (next == points.end() ? points.begin() : next)->second)
          << c.description << ", " << position;
    };
    RandomSource random(1);
    for (int i = 0; i < 5000; ++i) expect(static_cast<std::uint32_t>(random.next()));
    expect(0);
    expect(UINT32_MAX);
    for (const auto& [position, endpoint] : points) expect(position), expect(position + 1), expect(position - 1);
  }
}

TEST(RingHash, GivesPointsByWeight) {
  struct Case {
    const char* description;
    std::vector<double> weights;
    std::uint32_t wanted;
    std::vector<std::size_t> points;
  };
  const Case cases[] = {
      {"equal", {7, 7, 7, 7}, 65536, {1024, 1024, 1024, 1024}},
      {"by weight", {1, 2, 4, 1}, 65536, {512, 1024, 2048, 512}},
      {"nobody is left out", {1e9, 1, 1}, 65536, {3072, 1, 1}},
      {"four each, if fewer are wanted", {2, 2, 2}, 3, {4, 4, 4}},
  };
  for (const Case& c : cases) {
    conf::Balance balance;
    balance.table_size = c.wanted;
    const RingHash::Ring ring(balance, test::candidates(c.weights));
    std::vector<std::size_t> points(c.weights.size());
    std::size_t place = 0;
    do {
      ++points.at(ring.endpoint(place));
      place = ring.after(place);
    } while (place != 0);
    EXPECT_EQ(points, c.points) << c.description;
  }
}

TEST(RingHash, DoesNotDependOnTheOrderOfCandidates) {
  for (const auto& all : {test::equal_candidates(100), test::weighted_candidates(1000)}) {
    EXPECT_EQ(picks(*ring_hash(all)), picks(*ring_hash(test::shuffled(all))));
  }
}

/// Pinned: proxies of two versions behind one address must agree, or an upgrade moves every client.
TEST(RingHash, IsTheSameInEveryVersion) {
  std::uint64_t mixed = 0;
  for (const std::uint32_t endpoint : picks(*ring_hash(test::weighted_candidates(100))))
    mixed = mix64(mixed + endpoint);
  EXPECT_EQ(mixed, 3815984749354271605u);
}

TEST(RingHash, MovesFewWhenOneLeaves) {
  struct Case {
    const char* description;
    std::vector<Candidate> all;
    double most;  // of all hashes, beyond those of whom left
  };
  const Case cases[] = {
      {"of 10: those of whom left alone", test::equal_candidates(10), 0},
      {"of 60: those of whom left alone", test::equal_candidates(60), 0},
      {"of 100", test::equal_candidates(100), 0.02},
      {"of 100, weighted", test::weighted_candidates(100), 0.02},
  };
  for (const Case& c : cases) {
    const auto before = picks(*ring_hash(c.all));
    for (std::size_t i = 0; i < c.all.size(); i += 9) {
      auto others = c.all;
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
      const auto after = picks(*ring_hash(others));
      double moved = 0;
      for (std::size_t client = 0; client < clients; ++client) {
        moved += before[client] != c.all[i].endpoint && before[client] != after[client];
      }
      EXPECT_LE(moved / clients, c.most) << c.description << ", without " << i;
    }
  }
}

TEST(RingHash, MovesFewWhenAWeightChanges) {
  auto all = test::equal_candidates(100);
  const auto before = picks(*ring_hash(all));
  all[33].weight = 2;
  const auto after = picks(*ring_hash(all));
  double moved = 0, from_it = 0;
  for (std::size_t client = 0; client < clients; ++client) {
    moved += before[client] != after[client];
    from_it += before[client] == 33 && after[client] != 33;
  }
  EXPECT_GT(moved / clients, 0.005) << "its share grew by a hundredth";
  EXPECT_LT(moved / clients, 0.03);
  EXPECT_LT(from_it / clients, 0.001) << "who gets more keeps what it had";
}

/// Whose endpoint fails goes on to the next on the ring: where it will go when that one has left.
TEST(RingHash, TakesTheWayItWouldTakeWithoutThem) {
  const auto all = test::equal_candidates(20);
  const auto balancer = ring_hash(all);
  const std::uint32_t gone = 4;
  auto others = all;
  others.erase(others.begin() + gone);
  const auto without = ring_hash(others);
  for (std::uint32_t client = 0; client < clients; ++client) {
    const std::uint64_t hash = test::client_hash(client);
    ASSERT_EQ(balancer->pick({hash, {}, {&gone, 1}}), without->pick({hash, {}, {}}));
  }
}

}  // namespace
}  // namespace telltale::proxy
