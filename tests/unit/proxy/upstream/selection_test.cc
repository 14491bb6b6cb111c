#include "proxy/upstream/selection.h"

#include "tests/unit/proxy/upstream/built.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;
using test::Built;
using enum HealthState;

constexpr auto noon = std::chrono::system_clock::time_point(1'767'268'800s);

/// Endpoints a, b, c … each on a node of its own, n1, n2, n3 …, in the zones x, y, x, y …, each probed by itself.
class Fixture {
 public:
  explicit Fixture(std::size_t count, const std::function<void(conf::Service&)>& change = {}) {
    conf_.name = "s";
    conf_.health.emplace();
    for (std::size_t i = 0; i < count; ++i) {
      const auto last = static_cast<std::uint8_t>(i + 1);
      conf::Node& node = conf_.nodes.emplace_back();
      node.host = net::IpAddress::v4(10, 0, 0, last).to_string();
      node.name = "n" + std::to_string(i + 1);
      node.zone = i % 2 == 0 ? "x" : "y";
      conf::Endpoint& endpoint = node.endpoints.emplace_back();
      endpoint.address.ip = net::IpPort{net::IpAddress::v4(10, 1, 0, last), 80};
      endpoint.name = std::string(1, static_cast<char>('a' + i));
    }
    if (change) change(conf_);
    built_ = std::make_unique<Built>(std::vector{conf_});
    for (std::size_t i = 0; i < count; ++i) state(i, healthy);
  }

  const Endpoint& endpoint(std::size_t i) const { return *built_->set().endpoints[i]; }
  void state(std::size_t i, HealthState state, std::chrono::system_clock::time_point now = noon - 24h) {
    endpoint(i).verdict->set(state, "", now);
  }
  void use(Members members, std::chrono::system_clock::time_point now) {
    built_->sets->use(0, std::move(members), now);
  }
  conf::Service& conf() { return conf_; }

  Selection select(std::chrono::system_clock::time_point now = noon, TrafficKind traffic = TrafficKind::external) {
    return select_endpoints(conf_, built_->set(), location, traffic, now);
  }
  /// "ab", or the reason if that is not the usual one: "unknown:ab".
  std::string chosen(TrafficKind traffic = TrafficKind::external) {
    const Selection selection = select(noon, traffic);
    std::string text;
    if (selection.reason != SelectionReason::fit) text = std::string(to_string(selection.reason)) + ":";
    for (const Candidate& candidate : selection.candidates) text += name_of(candidate);
    return text;
  }
  std::map<std::string, double> weights(std::chrono::system_clock::time_point now = noon) {
    std::map<std::string, double> all;
    for (const Candidate& candidate : select(now).candidates) all[name_of(candidate)] = candidate.weight;
    return all;
  }

  bool is_last(std::size_t i, TrafficKind traffic = TrafficKind::external) const {
    return is_last_candidate(conf_, built_->set(), location, traffic, endpoint(i));
  }

  Location location;

 private:
  std::string name_of(const Candidate& candidate) const {
    for (const auto& endpoint : built_->set().endpoints) {
      if (endpoint->index == candidate.endpoint) return endpoint->name;
    }
    return "?";
  }

  conf::Service conf_;
  std::unique_ptr<Built> built_;
};

TEST(Selection, TakesTheBestStateOnly) {
  struct Case {
    const char* description;
    std::vector<HealthState> states;
    const char* chosen;
  };
  const Case cases[] = {
      {"all healthy", {healthy, healthy, healthy}, "abc"},
      {"healthy before unknown", {unknown, healthy, unknown}, "b"},
      {"draining gets nothing new", {draining, healthy, healthy}, "bc"},
      {"unhealthy gets nothing", {healthy, unhealthy, healthy}, "ac"},
      {"panic: unknown ones serve", {unknown, unhealthy, unknown}, "unknown:ac"},
      {"panic: never those that said 503", {draining, draining, unknown}, "unknown:c"},
      {"none left: draining", {draining, draining, draining}, "no_endpoint:"},
      {"none left: unhealthy", {unhealthy, draining, unhealthy}, "no_endpoint:"},
  };
  for (const Case& c : cases) {
    Fixture f(3);
    for (std::size_t i = 0; i < c.states.size(); ++i) f.state(i, c.states[i]);
    EXPECT_EQ(f.chosen(), c.chosen) << c.description;
  }
  EXPECT_EQ(Fixture(0).chosen(), "no_endpoint:");
}

/// An endpoint's part of an EndpointSlice, and what its own probe says.
struct Condition {
  bool serving, terminating;
  HealthState probed;
};

TEST(Selection, UsesTerminatingEndpointsOnlyWhileNoneIsReady) {
  struct Case {
    const char* description;
    std::vector<Condition> conditions;
    const char* chosen;
  };
  const Condition ready{true, false, healthy}, leaving{true, true, healthy};
  const Case cases[] = {
      {"ready ones first", {leaving, ready, leaving}, "b"},
      {"none ready: those that terminate and serve", {leaving, {false, true, healthy}, leaving}, "terminating:ac"},
      {"its readiness probe fails as it should, ours says 503", {{true, true, draining}}, "terminating:a"},
      {"but not if nothing answers", {{true, true, unhealthy}}, "no_endpoint:"},
      {"before unknown ones", {{true, false, unknown}, leaving}, "terminating:b"},
      {"not ready, not terminating", {{false, false, healthy}, {false, false, unknown}}, "no_endpoint:"},
      {"terminating and no longer serving", {{false, true, healthy}}, "no_endpoint:"},
      {"a ready one that is unhealthy is not ready", {{true, false, unhealthy}, leaving}, "terminating:b"},
  };
  for (const Case& c : cases) {
    Fixture f(c.conditions.size(), [&](conf::Service& conf) {
      for (std::size_t i = 0; i < c.conditions.size(); ++i) {
        conf.nodes[i].endpoints[0].serving = c.conditions[i].serving;
        conf.nodes[i].endpoints[0].terminating = c.conditions[i].terminating;
      }
    });
    for (std::size_t i = 0; i < c.conditions.size(); ++i) f.state(i, c.conditions[i].probed);
    EXPECT_EQ(f.chosen(), c.chosen) << c.description;
  }
}

TEST(Selection, LocalPolicyLeavesTheEndpointsOfOurNode) {
  const auto local = [](conf::Service& conf) {
    conf.external_traffic_policy = conf::TrafficPolicy::local;
    conf::Endpoint alone;
    alone.address.ip = net::IpPort{net::IpAddress::v4(10, 2, 0, 1), 80};
    alone.name = "z";
    conf.endpoints = {alone};
  };
  struct Case {
    const char* description;
    const char* node_name;
    std::vector<HealthState> states;
    const char *external, *internal;
  };
  const Case cases[] = {
      {"outside: the nodes' probes decide", "", {healthy, draining}, "az", "az"},
      {"ours is fit", "n2", {healthy, healthy}, "b", "abz"},
      {"ours is not: nobody, though another is", "n2", {healthy, draining}, "no_local_endpoint:", "az"},
      {"panic for ours alone", "n2", {healthy, unknown}, "unknown:b", "az"},
      {"we are on a node without any", "n9", {healthy, healthy}, "no_local_endpoint:", "abz"},
  };
  for (const Case& c : cases) {
    Fixture f(2, local);
    f.state(2, healthy);
    f.location.node_name = c.node_name;
    for (std::size_t i = 0; i < c.states.size(); ++i) f.state(i, c.states[i]);
    EXPECT_EQ(f.chosen(), c.external) << c.description;
    EXPECT_EQ(f.chosen(TrafficKind::internal), c.internal) << c.description;
  }
}

TEST(Selection, InternalPolicyIsForInternalTraffic) {
  Fixture f(2, [](conf::Service& conf) { conf.internal_traffic_policy = conf::TrafficPolicy::local; });
  f.location.node_name = "n1";
  EXPECT_EQ(f.chosen(TrafficKind::internal), "a");
  EXPECT_EQ(f.chosen(TrafficKind::external), "ab");
}

TEST(Selection, TerminatingEndpointsAreDecidedForEachPolicy) {
  Fixture f(2, [](conf::Service& conf) {
    conf.external_traffic_policy = conf::TrafficPolicy::local;
    conf.nodes[1].endpoints[0].terminating = true;
  });
  f.location.node_name = "n2";
  EXPECT_EQ(f.chosen(TrafficKind::external), "terminating:b") << "the node's last one still serves it";
  EXPECT_EQ(f.chosen(TrafficKind::internal), "a");
}

TEST(Selection, DistributesByHintsOnlyIfEveryoneHasOne) {
  using enum conf::TrafficDistribution;
  struct Case {
    const char* description;
    conf::TrafficDistribution distribution;
    Location location;
    std::function<void(conf::Service&)> change;
    const char* chosen;
  };
  const auto as_it_is = [](conf::Service&) {};
  const Case cases[] = {
      {"any", any, {"n1", "x"}, as_it_is, "abc"},
      {"our zone", prefer_same_zone, {"", "x"}, as_it_is, "ac"},
      {"the zone of our node", prefer_same_zone, {"n2", ""}, as_it_is, "b"},
      {"no zone known", prefer_same_zone, {"", ""}, as_it_is, "abc"},
      {"nobody in it", prefer_same_zone, {"", "z"}, as_it_is, "abc"},
      {"one has no zone", prefer_same_zone, {"", "x"}, [](auto& c) { c.nodes[1].zone.clear(); }, "abc"},
      {"hints win over zones",
       prefer_same_zone,
       {"", "x"},
       [](auto& c) { c.nodes[1].endpoints[0].for_zones = {"w", "x"}, c.nodes[0].endpoints[0].for_zones = {"y"}; },
       "bc"},
      {"our node", prefer_same_node, {"n3", ""}, as_it_is, "c"},
      {"not on our node: our zone", prefer_same_node, {"n9", "x"}, as_it_is, "ac"},
      {"outside: our zone", prefer_same_node, {"", "y"}, as_it_is, "b"},
  };
  for (const Case& c : cases) {
    Fixture f(3, [&](conf::Service& conf) {
      conf.traffic_distribution = c.distribution;
      c.change(conf);
    });
    f.location = c.location;
    EXPECT_EQ(f.chosen(), c.chosen) << c.description;
  }
}

TEST(Selection, DistributesAmongTheReadyOnes) {
  Fixture f(3, [](conf::Service& conf) { conf.traffic_distribution = conf::TrafficDistribution::prefer_same_zone; });
  f.location.zone = "y";
  f.state(1, unhealthy);
  EXPECT_EQ(f.chosen(), "ac") << "the only one of our zone is not ready";
}

TEST(Selection, TakesTheFirstPriorityThatHasSome) {
  Fixture f(4, [](conf::Service& conf) {
    for (std::size_t i = 0; i < 4; ++i) conf.nodes[i].endpoints[0].priority = i < 2 ? 0 : 1;
  });
  EXPECT_EQ(f.chosen(), "ab");
  f.state(0, unhealthy);
  EXPECT_EQ(f.chosen(), "b");
  f.state(1, draining);
  EXPECT_EQ(f.chosen(), "cd");
  f.state(1, unknown);
  EXPECT_EQ(f.chosen(), "cd") << "a fit one of a later priority comes before an unknown one";
  f.state(2, unhealthy), f.state(3, unhealthy);
  EXPECT_EQ(f.chosen(), "unknown:b");
}

TEST(Selection, EjectedOnesAreNotChosen) {
  Fixture f(2);
  f.endpoint(0).passive->ejected = true;
  EXPECT_EQ(f.chosen(), "b");
  f.endpoint(1).passive->ejected = true;
  EXPECT_EQ(f.chosen(), "no_endpoint:");
}

TEST(Selection, GoesByTheNodesProbeWhereThereIsOne) {
  for (const bool from_probe : {false, true}) {
    Fixture f(3, [&](conf::Service& conf) {
      conf.external_traffic_policy = conf::TrafficPolicy::local;
      conf.node_health.emplace().port = 32122;
      conf.node_health->weight_from_probe = from_probe;
      conf.health->weight_from_probe = !from_probe;
    });
    for (std::size_t i = 0; i < 3; ++i) {
      f.endpoint(i).verdict->set_weight(7);
      f.endpoint(i).node->verdict->set_weight(static_cast<std::int32_t>(i) + 2);
      f.endpoint(i).node->verdict->set(healthy, "", noon - 24h);
    }
    using Weights = std::map<std::string, double>;
    EXPECT_EQ(f.weights(),
              (from_probe ? Weights{{"a", 2}, {"b", 3}, {"c", 4}} : Weights{{"a", 1}, {"b", 1}, {"c", 1}}));
    // From outside the cluster: nodes that say that they have endpoints of their own.
    f.endpoint(0).node->verdict->set(draining, "answered 503", noon);
    EXPECT_EQ(f.chosen(), "bc");
    f.state(1, unhealthy);
    EXPECT_EQ(f.chosen(), "c");
    f.endpoint(2).node->verdict->set(unhealthy, "refused", noon);
    EXPECT_EQ(f.chosen(), "no_endpoint:") << "nothing that one of the two forbids";
  }
}

TEST(Selection, WeighsAsConfiguredOrAsTheProbeSays) {
  for (const bool from_probe : {false, true}) {
    Fixture f(4, [&](conf::Service& conf) {
      conf.health->weight_from_probe = from_probe;
      conf.nodes[1].endpoints[0].weight = 3;
      conf.nodes[3].endpoints[0].weight = 0;
    });
    f.endpoint(0).verdict->set_weight(5);
    f.endpoint(2).verdict->set_weight(0);
    f.endpoint(3).verdict->set_weight(9);
    using Weights = std::map<std::string, double>;
    if (from_probe) {
      EXPECT_EQ(f.weights(), (Weights{{"a", 5}, {"b", 3}}));
    } else {
      EXPECT_EQ(f.weights(), (Weights{{"a", 1}, {"b", 3}, {"c", 1}}));
    }
  }
}

TEST(Selection, ComesBackSlowly) {
  Fixture f(2, [](conf::Service& conf) { conf.slow_start = 100s, conf.nodes[1].endpoints[0].weight = 4; });
  EXPECT_EQ(f.weights()["a"], 1) << "here from the beginning";
  EXPECT_EQ(f.select().again, std::chrono::system_clock::time_point::max());
  f.state(1, unhealthy, noon - 20s);
  f.state(1, healthy, noon);
  const std::pair<std::chrono::seconds, double> rows[] = {{0s, 0.4},   {5s, 0.4}, {10s, 0.4}, {50s, 2},
                                                          {99s, 3.96}, {100s, 4}, {-1s, 4}};
  for (const auto& [later, weight] : rows) {
    EXPECT_NEAR(f.weights(noon + later)["b"], weight, 1e-9) << later.count() << " s";
    EXPECT_EQ(f.weights(noon + later)["a"], 1);
    const bool goes_on = weight < 4;
    EXPECT_EQ(f.select(noon + later).again, goes_on ? noon + later + 5s : std::chrono::system_clock::time_point::max());
  }
}

TEST(Selection, WhoComesLaterBeginsSlowlyWhenItsFirstProbeSucceeds) {
  Fixture f(1, [](conf::Service& conf) { conf.slow_start = 100s; });
  Members members{f.conf().nodes, {}};
  members.nodes.push_back(members.nodes[0]);
  members.nodes[1].name = "new", members.nodes[1].endpoints[0].name = "b";
  members.nodes[1].endpoints[0].address.ip->port = 81;
  f.use(members, noon - 60s);
  EXPECT_EQ(f.chosen(), "a");
  f.state(1, healthy, noon - 50s);
  EXPECT_NEAR(f.weights()["b"], 0.5, 1e-9);
  EXPECT_EQ(f.weights()["a"], 1);
}

TEST(Selection, WhoWasEjectedBeginsSlowly) {
  Fixture f(2, [](conf::Service& conf) { conf.slow_start = 100s; });
  f.endpoint(0).passive->recovered = noon - 30s;
  EXPECT_NEAR(f.weights()["a"], 0.3, 1e-9);
}

TEST(Selection, KnowsTheLastOneThatMayBeChosen) {
  struct Case {
    const char* description;
    std::vector<HealthState> states;
    bool last;  // is a
  };
  const Case cases[] = {
      {"another is healthy", {healthy, healthy, unhealthy}, false},
      {"another is unknown", {healthy, unknown, unhealthy}, false},
      {"others drain or fail", {healthy, draining, unhealthy}, true},
      {"unknown, and the last", {unknown, draining, unhealthy}, true},
      {"unknown, and another is healthy", {unknown, healthy, unhealthy}, false},
      {"it may not be chosen itself", {draining, draining, unhealthy}, false},
      {"alone", {healthy}, true},
  };
  for (const auto& each : cases) {
    Fixture f(each.states.size());
    for (std::size_t i = 0; i < each.states.size(); ++i) f.state(i, each.states[i]);
    EXPECT_EQ(f.is_last(0), each.last) << each.description;
  }
}

TEST(Selection, KnowsTheLastOneOfOurNodeAndOfThoseThatTerminate) {
  Fixture f(3, [](conf::Service& conf) {
    conf.external_traffic_policy = conf::TrafficPolicy::local;
    conf.nodes[1].endpoints[0].terminating = true;
    conf.nodes[2].endpoints[0].weight = 0;
  });
  EXPECT_FALSE(f.is_last(0)) << "the second one still serves";
  EXPECT_FALSE(f.is_last(2)) << "it never gets any";
  f.state(0, unhealthy);
  EXPECT_TRUE(f.is_last(1)) << "nobody else serves while this one terminates";
  f.state(0, healthy);
  f.location.node_name = "n1";
  EXPECT_TRUE(f.is_last(0));
  EXPECT_FALSE(f.is_last(1)) << "not of our node";
  EXPECT_FALSE(f.is_last(0, TrafficKind::internal));
}

}  // namespace
}  // namespace telltale::proxy
