#include "proxy/upstream/balancer.h"

#include "proxy/upstream/service_builder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace telltale::proxy {
namespace {

using State = HealthState;

constexpr auto long_ago = std::chrono::system_clock::time_point{};

/// A service whose endpoints a, b, c … are probed each by itself.
class Fixture {
 public:
  explicit Fixture(const std::vector<std::uint32_t>& weights, bool weight_from_probe = false) {
    conf::Service service;
    service.name = "s";
    service.health.emplace();
    service.health->weight_from_probe = weight_from_probe;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const auto host = static_cast<std::uint8_t>(i % 250 + 1);
      const net::IpPort at{net::IpAddress::v4(10, 0, static_cast<std::uint8_t>(i / 250), host), 80};
      service.endpoints.push_back({{at, {}}, i < 26 ? std::string(1, static_cast<char>('a' + i)) : "", weights[i]});
    }
    set_ = ServiceBuilder::build({&service, 1});
    for (std::size_t i = 0; i < weights.size(); ++i) set(i, State::healthy);
  }

  Service& service() { return *set_.services[0]; }
  const Endpoint* endpoint(std::size_t i) { return service().endpoints()[i].get(); }
  void set(std::size_t i, State state) {
    endpoint(i)->verdict->set(state, "", long_ago);
    service().bump_version();
  }
  void set_weight(std::size_t i, std::int32_t weight) {
    endpoint(i)->verdict->set_weight(weight);
    service().bump_version();
  }

 private:
  ServiceSet set_;
};

std::string pick(Balancer& balancer, std::vector<const Endpoint*> tried = {}) {
  const Endpoint* picked = balancer.pick(tried);
  return picked ? picked->name : "-";
}

std::map<std::string, std::size_t> count(Balancer& balancer, std::size_t picks) {
  std::map<std::string, std::size_t> counts;
  for (std::size_t i = 0; i < picks; ++i) ++counts[pick(balancer)];
  return counts;
}

std::string sequence(Balancer& balancer, std::size_t picks) {
  std::string names;
  for (std::size_t i = 0; i < picks; ++i) names += pick(balancer);
  return names;
}

TEST(RoundRobin, RotatesOverEqualWeights) {
  Fixture f({1, 1, 1});
  EXPECT_EQ(sequence(*make_balancer(f.service(), 0), 7), "abcabca");
  EXPECT_EQ(sequence(*make_balancer(f.service(), 1), 7), "bcabcab") << "another worker starts somewhere else";
  EXPECT_EQ(sequence(*make_balancer(f.service(), 5), 4), "cabc") << "any seed";
}

TEST(RoundRobin, PicksAmongTheBestStateOnly) {
  struct Case {
    const char* description;
    std::vector<State> states;
    const char* picks;
  };
  const Case cases[] = {
      {"all healthy", {State::healthy, State::healthy, State::healthy}, "abcabc"},
      {"healthy before unknown", {State::unknown, State::healthy, State::unknown}, "bbbbbb"},
      {"draining gets nothing new", {State::draining, State::healthy, State::healthy}, "bcbcbc"},
      {"unhealthy gets nothing", {State::healthy, State::unhealthy, State::healthy}, "acacac"},
      {"panic: unknown ones serve", {State::unknown, State::unhealthy, State::unknown}, "acacac"},
      {"panic: never those that said 503", {State::draining, State::draining, State::unknown}, "cccccc"},
      {"none left: draining", {State::draining, State::draining, State::draining}, "------"},
      {"none left: unhealthy", {State::unhealthy, State::draining, State::unhealthy}, "------"},
  };
  for (const Case& c : cases) {
    Fixture f({1, 1, 1});
    const auto balancer = make_balancer(f.service(), 0);
    for (std::size_t i = 0; i < c.states.size(); ++i) f.set(i, c.states[i]);
    EXPECT_EQ(sequence(*balancer, 6), c.picks) << c.description;
  }
}

TEST(RoundRobin, FollowsChangesAsTheyCome) {
  Fixture f({1, 1, 1});
  const auto balancer = make_balancer(f.service(), 0);
  EXPECT_EQ(pick(*balancer), "a");
  f.set(1, State::draining);
  EXPECT_EQ(count(*balancer, 10), (std::map<std::string, std::size_t>{{"a", 5}, {"c", 5}}));
  f.set(0, State::unhealthy);
  f.set(2, State::unhealthy);
  EXPECT_EQ(pick(*balancer), "-");
  f.set(0, State::unknown);
  EXPECT_EQ(pick(*balancer), "a");
  f.set(1, State::healthy);
  EXPECT_EQ(pick(*balancer), "b");
}

TEST(RoundRobin, LooksAtStatesOnlyWhenTheVersionMoved) {
  Fixture f({1, 1});
  const auto balancer = make_balancer(f.service(), 0);
  EXPECT_EQ(pick(*balancer), "a");
  f.endpoint(1)->verdict->set(State::unhealthy, "", long_ago);
  EXPECT_EQ(pick(*balancer), "b");
  f.service().bump_version();
  EXPECT_EQ(sequence(*balancer, 3), "aaa");
}

TEST(RoundRobin, HasNoneWithoutEndpoints) {
  Fixture f({});
  EXPECT_EQ(pick(*make_balancer(f.service(), 3)), "-");
}

TEST(RoundRobin, AvoidsTriedEndpointsWhileThereIsAnother) {
  struct Case {
    const char* description;
    std::vector<std::uint32_t> weights;
    std::vector<std::size_t> tried;
    const char* allowed;
  };
  const Case cases[] = {
      {"equal weights, one tried", {1, 1, 1}, {0}, "bc"},
      {"equal weights, two tried", {1, 1, 1}, {2, 0}, "b"},
      {"equal weights, all tried: any again", {1, 1, 1}, {0, 1, 2}, "abc"},
      {"the only one, tried: it again", {1}, {0}, "a"},
      {"the same one twice", {1, 1}, {0, 0}, "b"},
      {"weights, the heaviest tried", {100, 1, 1}, {0}, "bc"},
      {"weights, a light one tried", {100, 1, 1}, {1}, "ac"},
      {"weights, two tried", {100, 7, 1}, {0, 1}, "c"},
      {"weights, all tried: any again", {100, 7, 1}, {1, 0, 2}, "abc"},
      {"one with weight 0 is no other", {1, 0}, {0}, "a"},
  };
  for (const Case& c : cases) {
    Fixture f(c.weights);
    const auto balancer = make_balancer(f.service(), 7);
    std::vector<const Endpoint*> tried;
    for (std::size_t i : c.tried) tried.push_back(f.endpoint(i));
    for (int i = 0; i < 50; ++i) {
      const std::string picked = pick(*balancer, tried);
      EXPECT_NE(std::string(c.allowed).find(picked), std::string::npos) << c.description << ": " << picked;
      pick(*balancer);
    }
  }
}

TEST(RoundRobin, SharesByWeightExactlyOverEachRound) {
  const std::vector<std::vector<std::uint32_t>> tables = {{5, 1, 1}, {1, 2}, {3, 0, 7}, {100, 1}, {2, 2, 1, 1, 13}};
  for (const auto& weights : tables) {
    Fixture f(weights);
    std::size_t sum = 0;
    for (auto w : weights) sum += w;
    for (std::uint32_t seed = 0; seed < 20; ++seed) {
      const auto balancer = make_balancer(f.service(), seed);
      for (int round = 1; round <= 3; ++round) {
        const auto counts = count(*balancer, sum);
        for (std::size_t i = 0; i < weights.size(); ++i) {
          const auto at = counts.find(f.endpoint(i)->name);
          const auto got = static_cast<long>(at == counts.end() ? 0 : at->second);
          EXPECT_EQ(got, static_cast<long>(weights[i]))
              << f.endpoint(i)->name << " of " << weights.size() << ", seed " << seed;
        }
      }
    }
  }
}

TEST(RoundRobin, SpreadsTheTurnsOfHeavyEndpoints) {
  Fixture f({5, 5, 1});
  const auto balancer = make_balancer(f.service(), 0);
  EXPECT_EQ(sequence(*balancer, 220).find("aaa"), std::string::npos);
}

TEST(RoundRobin, StarvesNobodyWhenItIsRebuiltAllTheTime) {
  Fixture f({3, 2, 1});
  const auto balancer = make_balancer(f.service(), 0);
  std::map<std::string, int> counts;
  for (int i = 0; i < 6000; ++i) {
    f.service().bump_version();
    ++counts[pick(*balancer)];
  }
  for (const auto& [name, picks] : counts) {
    EXPECT_GT(picks, 1000) << name;
    EXPECT_LT(picks, 3600) << name;
  }
  EXPECT_EQ(counts.size(), 3u);
}

TEST(RoundRobin, TakesWeightsFromTheProbeWhenAskedTo) {
  Fixture f({1, 1, 1, 0}, true);
  const auto balancer = make_balancer(f.service(), 0);
  f.set_weight(0, 3);
  f.set_weight(1, 0);
  f.set_weight(3, 5);
  auto counts = count(*balancer, 400);
  EXPECT_NEAR(static_cast<double>(counts["a"]), 300, 1);
  EXPECT_EQ(counts.count("b"), 0u) << "the probe said 0";
  EXPECT_NEAR(static_cast<double>(counts["c"]), 100, 1) << "no weight came: the configured one";
  EXPECT_EQ(counts.count("d"), 0u) << "a configured 0 stands";

  Fixture ignoring({1, 1}, false);
  ignoring.set_weight(0, 9);
  EXPECT_EQ(sequence(*make_balancer(ignoring.service(), 0), 4), "abab");
}

TEST(RoundRobin, WeightZeroNeverServesNotEvenAlone) {
  Fixture f({0, 0});
  EXPECT_EQ(pick(*make_balancer(f.service(), 0)), "-");
}

TEST(RoundRobin, ServesTenThousandEndpointsOnceEachRound) {
  std::vector<std::uint32_t> weights(10'000, 1);
  weights[77] = 2;
  Fixture f(weights);
  const auto balancer = make_balancer(f.service(), 9);
  std::vector<int> counts(weights.size());
  for (std::size_t i = 0; i < 3 * (weights.size() + 1); ++i) ++counts[balancer->pick({})->index];
  EXPECT_NEAR(counts[77], 6, 1);
  EXPECT_GE(*std::min_element(counts.begin(), counts.end()), 2);
  counts[77] = 0;
  EXPECT_LE(*std::max_element(counts.begin(), counts.end()), 4);
}

}  // namespace
}  // namespace telltale::proxy
