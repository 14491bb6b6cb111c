#include "proxy/upstream/endpoint_sets.h"

#include "tests/unit/proxy/upstream/members_of.h"

#include <gtest/gtest.h>

#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace telltale::proxy {
namespace {

using namespace test;

std::string indexes(const EndpointSet& set) {
  std::string all;
  for (const auto& e : set.endpoints) all += (all.empty() ? "" : " ") + std::to_string(e->index);
  return all;
}

struct Case {
  const char* description;
  conf::Service service;
  Texts endpoints, probes;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  const auto add = [&all](const char* description, Texts endpoints, Texts probes) -> conf::Service& {
    all.push_back({description, {}, std::move(endpoints), std::move(probes)});
    all.back().service.name = "s";
    all.back().service.port = 30080;
    return all.back().service;
  };
  {
    auto& s = add("nodes without endpoints serve at the service's port, and are probed there",
                  {"10.0.0.1:30080", "10.0.0.2:30080"}, {"s/10.0.0.1 10.0.0.1:30080", "s/10.0.0.2 10.0.0.2:30080"});
    s.health = http(), s.nodes = {node("10.0.0.1"), node("10.0.0.2")};
  }
  {
    auto& s = add("health.port is where a node is probed", {"10.0.0.1:30080"}, {"s/10.0.0.1 10.0.0.1:32122"});
    s.health = http(32122), s.nodes = {node("10.0.0.1")};
  }
  {
    auto& s = add("a node's own ports win", {"10.0.0.1:31000"}, {"s/n 10.0.0.1:32999"});
    s.health = http(32122), s.nodes = {node("10.0.0.1")};
    s.nodes[0].name = "n", s.nodes[0].port = 31000, s.nodes[0].health_port = 32999;
  }
  {
    auto& s = add("a node of IPv6", {"[2001:db8::1]:30080"}, {"s/2001:db8::1 [2001:db8::1]:30080"});
    s.health = http(), s.nodes = {node("2001:db8::1")};
  }
  {
    auto& s = add("a node's endpoints get the traffic, the node the probe", {"10.0.0.11:8080", "10.0.0.12:8080"},
                  {"s/10.0.0.1 10.0.0.1:32122"});
    s.health = http(32122), s.nodes = {node("10.0.0.1", {endpoint(11, 8080), endpoint(12, 8080)})};
  }
  {
    auto& s = add("no health port anywhere: its endpoints are probed", {"10.0.0.11:8080", "10.0.0.12:8080"},
                  {"s/10.0.0.11:8080 10.0.0.11:8080", "s/10.0.0.12:8080 10.0.0.12:8080"});
    s.health = http(), s.nodes = {node("10.0.0.1", {endpoint(11, 8080), endpoint(12, 8080)})};
  }
  {
    auto& s = add("a node's health_port makes its probe the node's", {"10.0.0.11:8080", "10.0.0.21:8080"},
                  {"s/10.0.0.1 10.0.0.1:32122", "s/10.0.0.21:8080 10.0.0.21:8080"});
    s.health = http();
    s.nodes = {node("10.0.0.1", {endpoint(11, 8080)}), node("10.0.0.2", {endpoint(21, 8080)})};
    s.nodes[0].health_port = 32122;
  }
  {
    auto& s =
        add("standalone endpoints are probed where they serve", {"10.0.0.5:8080"}, {"s/10.0.0.5:8080 10.0.0.5:8080"});
    s.health = http(), s.endpoints = {endpoint(5, 8080)};
  }
  {
    auto& s =
        add("standalone endpoints are probed at health.port", {"10.0.0.5:8080"}, {"s/10.0.0.5:8080 10.0.0.5:9000"});
    s.health = http(9000), s.endpoints = {endpoint(5, 8080)};
  }
  {
    auto& s = add("two endpoints of one address with one health port: one probe", {"10.0.0.5:8080", "10.0.0.5:8081"},
                  {"s/10.0.0.5:8080 10.0.0.5:9000"});
    s.health = http(9000), s.endpoints = {endpoint(5, 8080), endpoint(5, 8081)};
  }
  {
    auto& s = add("nodes and endpoints in one service", {"10.0.0.1:30080", "10.0.0.5:8080"},
                  {"s/10.0.0.1 10.0.0.1:32122", "s/10.0.0.5:8080 10.0.0.5:32122"});
    s.health = http(32122), s.nodes = {node("10.0.0.1")}, s.endpoints = {endpoint(5, 8080)};
  }
  {
    auto& s =
        add("a Unix socket is probed itself, whatever the port", {"unix:/run/app.sock"}, {"s/app unix:/run/app.sock"});
    s.health = http(9000), s.endpoints = {{{std::nullopt, "/run/app.sock"}, {}, {}, "app"}};
  }
  {
    auto& s = add("node_health: each node, and everybody where they serve",
                  {"10.0.0.1:30080", "10.0.0.21:8080", "10.0.0.5:8080"},
                  {"s/10.0.0.1 10.0.0.1:10256", "s/10.0.0.1 10.0.0.1:30080", "s/10.0.0.2 10.0.0.2:32999",
                   "s/10.0.0.21:8080 10.0.0.21:8080", "s/10.0.0.5:8080 10.0.0.5:8080"});
    s.health = http(), s.node_health = http(10256);
    s.nodes = {node("10.0.0.1"), node("10.0.0.2", {endpoint(21, 8080)})}, s.endpoints = {endpoint(5, 8080)};
    s.nodes[1].health_port = 32999;
  }
  {
    auto& s = add("health.port beside node_health is that of endpoints", {"10.0.0.1:30080", "10.0.0.21:8080"},
                  {"s/10.0.0.1 10.0.0.1:10256", "s/10.0.0.1 10.0.0.1:9000", "s/10.0.0.2 10.0.0.2:10256",
                   "s/10.0.0.21:8080 10.0.0.21:9000"});
    s.health = http(9000), s.node_health = http(10256);
    s.nodes = {node("10.0.0.1"), node("10.0.0.2", {endpoint(21, 8080)})};
  }
  {
    auto& s = add("node_health alone", {"10.0.0.1:30080", "10.0.0.21:8080"},
                  {"s/10.0.0.1 10.0.0.1:10256", "s/10.0.0.2 10.0.0.2:10256"});
    s.node_health = http(10256), s.nodes = {node("10.0.0.1"), node("10.0.0.2", {endpoint(21, 8080)})};
  }
  {
    auto& s = add("both probes of a node are the same one", {"10.0.0.1:30080"}, {"s/10.0.0.1 10.0.0.1:30080"});
    s.health = http(), s.node_health = http(30080), s.nodes = {node("10.0.0.1")};
  }
  {
    auto& s = add("no health: no probes", {"10.0.0.1:30080", "10.0.0.5:8080"}, {});
    s.nodes = {node("10.0.0.1")}, s.endpoints = {endpoint(5, 8080)};
    s.nodes[0].health_port = 32122;
  }
  return all;
}

TEST(EndpointSets, SendsTrafficAndProbesWhereTheyBelong) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.description);
    const Built built = Built({c.service});
    EXPECT_EQ(seen(built).endpoints, c.endpoints);
    EXPECT_EQ(seen(built).probes, c.probes);
    EXPECT_EQ(built.set().index_limit, c.endpoints.size());
    for (const auto& e : built.set(0).endpoints) {
      EXPECT_EQ(e->state(), c.probes.empty() ? HealthState::healthy : HealthState::unknown);
    }
  }
}

TEST(EndpointSets, NumbersTheEndpointsOfEachService) {
  conf::Service a, b;
  a.name = "a", a.endpoints = {endpoint(1, 80), endpoint(2, 80)};
  b.name = "b", b.endpoints = {endpoint(1, 80)}, b.port = 1, b.nodes = {node("10.0.0.9")};
  const Built built({a, b});
  EXPECT_EQ(indexes(built.set(0)), "0 1");
  EXPECT_EQ(indexes(built.set(1)), "0 1");
}

TEST(EndpointSets, WhatStaysKeepsItsPlaceAndWhatComesGetsAFreeOne) {
  const auto now = EndpointSets::Time{} + std::chrono::hours(5);
  conf::Service s;
  s.name = "s", s.health = http(), s.endpoints = {endpoint(1, 80), endpoint(2, 80), endpoint(3, 80)};
  const Built built({s});
  const auto before = built.set();
  before.endpoints[2]->passive->ejected = true;

  conf::Endpoint third = endpoint(3, 80, 7);
  third.terminating = true;
  EXPECT_EQ(built.sets->use(0, {{}, {third, endpoint(4, 80), endpoint(1, 80)}}, now), std::vector<std::size_t>{0});
  const auto& after = built.set();
  EXPECT_EQ(indexes(after), "2 3 0") << "the place of the second is free from the next change on";
  EXPECT_EQ(after.endpoints[0]->id, before.endpoints[2]->id);
  EXPECT_EQ(after.endpoints[0]->weight, 7u);
  EXPECT_TRUE(after.endpoints[0]->terminating);
  EXPECT_EQ(after.endpoints[0]->verdict, before.endpoints[2]->verdict);
  EXPECT_TRUE(after.endpoints[0]->passive->ejected);
  EXPECT_EQ(after.endpoints[0]->known_since, EndpointSets::Time{});
  EXPECT_EQ(after.endpoints[1]->known_since, now);
  EXPECT_EQ(after.index_limit, 4u);
  EXPECT_EQ(built.sets->probe_targets().size(), 3u);

  built.sets->use(0, {{}, {endpoint(2, 80), endpoint(5, 80)}}, now);
  EXPECT_EQ(indexes(built.set()), "1 4");
  EXPECT_NE(built.set().endpoints[0]->id, before.endpoints[1]->id) << "it was gone meanwhile";
  built.sets->use(0, {}, now);
  EXPECT_EQ(built.set().endpoints.size(), 0u);
  EXPECT_EQ(built.sets->probe_targets().size(), 0u);
}

TEST(EndpointSets, OneAddressTwiceIsTwoEndpoints) {
  conf::Service s;
  s.name = "s", s.endpoints = {endpoint(1, 80), endpoint(1, 80)};
  const Built built({s});
  EXPECT_EQ(indexes(built.set()), "0 1");
  built.sets->use(0, {{}, s.endpoints}, {});
  EXPECT_EQ(indexes(built.set()), "0 1");
}

TEST(EndpointSets, ANodeOfSeveralAddressesKeepsItsName) {
  conf::Service s;
  s.name = "s", s.health = http(32122), s.port = 80;
  s.nodes = addresses_of_n({"10.0.0.1", "10.0.0.2"});
  const Built built({s});
  const auto displayed = [&] {
    Texts all;
    for (const auto& n : built.set().nodes) {
      EXPECT_EQ(n->name, "n");
      all.push_back(n->display_name);
    }
    for (const auto& e : built.set().endpoints) {
      EXPECT_EQ(e->for_nodes, Texts{"n"});
      all.push_back(e->name);
    }
    for (const auto& target : built.sets->probe_targets()) all.push_back(target.name);
    return all;
  };
  const auto first = built.set().endpoints[0];
  EXPECT_EQ(displayed(),
            (Texts{"n/10.0.0.1", "n/10.0.0.2", "n/10.0.0.1", "n/10.0.0.2", "s/n/10.0.0.1", "s/n/10.0.0.2"}));
  built.sets->use(0, {addresses_of_n({"10.0.0.1"}), {}}, {});
  EXPECT_EQ(displayed(), (Texts{"n", "n", "s/n"}));
  EXPECT_EQ(built.set().endpoints[0]->id, first->id) << "it is the same as before";
  EXPECT_EQ(built.set().endpoints[0]->passive, first->passive);
  built.sets->use(0, {addresses_of_n({"10.0.0.3", "10.0.0.1"}), {}}, {});
  EXPECT_EQ(built.set().endpoints[1]->id, first->id);
  EXPECT_NE(built.set().endpoints[0]->id, first->id);
}

TEST(EndpointSets, NamesEachAffectedServiceOnce) {
  conf::Service s;
  s.name = "s", s.health = http(9000);
  s.endpoints = {endpoint(1, 80), endpoint(2, 80), endpoint(1, 81)};
  const Built built = Built({s});
  const auto targets = built.sets->probe_targets();
  ASSERT_EQ(targets.size(), 2u);
  EXPECT_EQ(targets[0].affected, std::vector<std::size_t>{0});
}

TEST(EndpointSets, GivesTheHostOfAProbe) {
  conf::Service s;
  s.name = "s", s.health = http(9000);
  s.endpoints = {endpoint(1, 80), {{std::nullopt, "/run/a"}}};
  Built built = Built({s});
  const auto targets = built.sets->probe_targets();
  EXPECT_EQ(targets[0].host, "10.0.0.1:9000");
  EXPECT_EQ(targets[1].host, "localhost");
  s.health->host = "app.internal";
  built = Built({s});
  EXPECT_EQ(built.sets->probe_targets()[0].host, "app.internal");
}

TEST(EndpointSets, KeepTheNamesThatAddressesWereFoundBy) {
  conf::Service s;
  s.name = "s", s.port = 443, s.health = http();
  s.health->kind = conf::ProbeKind::https;
  s.endpoints = {endpoint(1, 80), endpoint(2, 80)};
  s.endpoints[0].host_name = "app.internal";
  s.nodes = {node("10.0.0.3"), node("10.0.0.4")};
  s.nodes[0].host_name = "node.internal";
  const Built built = Built({s});
  std::vector<std::string> serve, probed;
  for (const auto& each : built.sets->services()[0]->set().endpoints) serve.push_back(each->host_name);
  for (const auto& each : built.sets->probe_targets()) probed.push_back(each.host_name);
  const std::vector<std::string> wanted = {"node.internal", "", "app.internal", ""};
  EXPECT_EQ(serve, wanted);
  EXPECT_EQ(probed, wanted);
}

/// They may be the same certificate's for one name, and not for the other.
TEST(EndpointSets, ProbesByHttpsOfDifferentNamesAreDifferentOnes) {
  conf::Service s;
  s.name = "s", s.health = http();
  s.endpoints = {endpoint(1, 80), endpoint(1, 80)};
  s.endpoints[0].host_name = "app.internal";
  EXPECT_EQ(Built({s}).sets->probe_targets().size(), 1u);
  s.health->kind = conf::ProbeKind::https;
  EXPECT_EQ(Built({s}).sets->probe_targets().size(), 2u);
  s.health->tls.sni = "app.internal";
  EXPECT_EQ(Built({s}).sets->probe_targets().size(), 1u);
}

TEST(EndpointSets, WeighsEndpointsByTheirNode) {
  struct Weights {
    const char* description;
    std::uint32_t node, endpoint, expected;
  };
  const Weights table[] = {
      {"defaults", 1, 1, 1},
      {"both", 3, 2, 6},
      {"a node with weight 0 gets nothing", 0, 5, 0},
      {"an endpoint with weight 0 gets nothing", 5, 0, 0},
      {"no overflow", 0x10000, 0x10001, 0xffffffff},
  };
  for (const Weights& w : table) {
    conf::Service s;
    s.name = "s";
    s.nodes = {node("10.0.0.1", {endpoint(11, 80, w.endpoint)})};
    s.nodes[0].weight = w.node;
    const Built built = Built({s});
    EXPECT_EQ(built.set(0).endpoints[0]->weight, w.expected) << w.description;
  }
}

TEST(EndpointSets, SharesANodesProbedWeightAmongItsEndpoints) {
  conf::Service s;
  s.name = "s", s.port = 30080, s.health = http(32122);
  s.nodes = {node("10.0.0.1", {endpoint(11, 80), endpoint(12, 80, 3), endpoint(13, 80, 0)}), node("10.0.0.2")};
  const Built built = Built({s});
  const auto& e = built.set(0).endpoints;
  const auto weights = [&e](bool from_probe) {
    std::vector<double> all;
    for (const auto& one : e) all.push_back(one->effective_weight(from_probe));
    return all;
  };
  EXPECT_EQ(weights(true), (std::vector<double>{1, 3, 0, 1})) << "nothing came yet";
  const auto targets = built.sets->probe_targets();
  targets[0].verdict->set_weight(8);
  targets[1].verdict->set_weight(4);
  EXPECT_EQ(weights(true), (std::vector<double>{2, 6, 0, 4}));
  EXPECT_EQ(weights(false), (std::vector<double>{1, 3, 0, 1}));
}

TEST(EndpointSets, RefusesWhatNoValidatedConfigurationHas) {
  conf::Service s;
  s.name = "s", s.nodes = {node("10.0.0.1")};
  EXPECT_THROW(Built({s}), std::invalid_argument) << "no port";
  s.port = 1, s.nodes[0].host = "node-a";
  EXPECT_THROW(Built({s}), std::invalid_argument) << "no address";
}

}  // namespace
}  // namespace telltale::proxy
