#include "proxy/upstream/endpoint_sets.h"

#include "tests/unit/proxy/upstream/built.h"

#include <gtest/gtest.h>

#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace telltale::proxy {
namespace {

using test::Built;

conf::Address at(std::uint8_t last, std::uint16_t port) {
  return {net::IpPort{net::IpAddress::v4(10, 0, 0, last), port}, {}};
}

conf::Endpoint endpoint(std::uint8_t last, std::uint16_t port, std::uint32_t weight = 1) {
  conf::Endpoint e;
  e.address = at(last, port), e.weight = weight;
  return e;
}

conf::Node node(const std::string& host, std::vector<conf::Endpoint> endpoints = {}) {
  conf::Node n;
  n.host = host;
  n.endpoints = std::move(endpoints);
  return n;
}

conf::Health http(std::optional<std::uint16_t> port = {}) {
  conf::Health h;
  h.port = port;
  return h;
}

struct Seen {
  std::vector<std::string> endpoints;  // where traffic goes
  std::vector<std::string> probes;     // what is probed
};

Seen seen(const Built& built) {
  Seen s;
  for (const auto& service : built.services) {
    for (const auto& e : service->set().endpoints) s.endpoints.push_back(e->address_text);
  }
  for (const auto& target : built.sets->probe_targets()) {
    s.probes.push_back(target.name + " " + target.address.to_string());
  }
  return s;
}

std::string indexes(const EndpointSet& set) {
  std::string all;
  for (const auto& e : set.endpoints) all += (all.empty() ? "" : " ") + std::to_string(e->index);
  return all;
}

using Texts = std::vector<std::string>;

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
    s.health = http(9000), s.endpoints = {{{std::nullopt, "/run/app.sock"}, {}, "app"}};
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

TEST(EndpointSets, ATrackerTakesTheVerdictsOfTheOther) {
  conf::Service tracked, tracker, second;
  tracked.name = "tracked", tracked.health = http(32122), tracked.port = 80;
  tracked.nodes = {node("10.0.0.1"), node("10.0.0.2")}, tracked.endpoints = {endpoint(5, 80)};
  tracked.nodes[0].name = "a", tracked.nodes[1].name = "b";
  tracker.name = "tracker", tracker.port = 443;
  tracker.health.emplace().kind = conf::ProbeKind::track, tracker.health->track = "tracked";
  tracker.nodes = {node("10.9.9.9"), node("10.0.0.2"), node("10.0.0.1", {endpoint(21, 443)})};
  tracker.nodes[0].name = "a", tracker.nodes[1].name = "called otherwise", tracker.nodes[2].name = "a";
  tracker.endpoints = {endpoint(5, 443), endpoint(77, 443)};
  second = tracker;
  second.name = "second", second.health->track = "tracker", second.nodes.clear(), second.endpoints = {endpoint(5, 1)};
  const Built built({second, tracker, tracked});

  const auto targets = built.sets->probe_targets();
  ASSERT_EQ(targets.size(), 3u);
  EXPECT_EQ(targets[0].affected, (std::vector<std::size_t>{2, 1}));
  EXPECT_EQ(targets[2].affected, (std::vector<std::size_t>{2, 0, 1}));
  const auto& endpoints = built.set(1).endpoints;
  EXPECT_EQ(built.set(1).nodes[0]->verdict, targets[0].verdict) << "the name first";
  EXPECT_EQ(built.set(1).nodes[1]->verdict, targets[1].verdict) << "then the address";
  EXPECT_EQ(endpoints[2]->verdict, targets[0].verdict) << "an endpoint by its node's name";
  EXPECT_EQ(endpoints[3]->verdict, targets[2].verdict);
  EXPECT_EQ(built.set(0).endpoints[0]->verdict, targets[2].verdict) << "through another tracker";
  EXPECT_EQ(endpoints[4]->state(), HealthState::unknown);
  EXPECT_EQ(endpoints[4]->reason(), "the tracked service has no such node or endpoint");

  built.sets->use(2, {{}, {endpoint(77, 80)}}, {});
  EXPECT_EQ(built.set(1).endpoints[4]->verdict, built.set(2).endpoints[0]->verdict) << "it follows changes";
}

/// A node that serves itself, one with endpoints, and an endpoint of none.
conf::Service twofold(const char* name, std::uint16_t port) {
  conf::Service s;
  s.name = name, s.port = port, s.health = http(), s.node_health = http(10256);
  s.nodes = {node("10.0.0.1"), node("10.0.0.2", {endpoint(21, port), endpoint(22, port)})};
  s.nodes[0].name = "a", s.nodes[1].name = "b";
  s.endpoints = {endpoint(5, port)};
  return s;
}

std::vector<HealthState> states(const EndpointSet& set) {
  std::vector<HealthState> all;
  for (const auto& e : set.endpoints) all.push_back(e->state());
  return all;
}

TEST(EndpointSets, TheWorseOfANodesVerdictAndTheEndpointsOwnCounts) {
  using enum HealthState;
  const Built built({twofold("s", 80)});
  const auto targets = built.sets->probe_targets();
  ASSERT_EQ(targets.size(), 6u);  // a, a itself, b, its two, the one of no node
  for (const auto& target : targets) target.verdict->set(healthy, "answered 200", {});
  EXPECT_EQ(states(built.set()), (std::vector{healthy, healthy, healthy, healthy}));
  targets[2].verdict->set(draining, "answered 503", {});
  EXPECT_EQ(states(built.set()), (std::vector{healthy, draining, draining, healthy}));
  EXPECT_EQ(built.set().endpoints[1]->reason(), "its node: answered 503");
  targets[3].verdict->set(unhealthy, "refused", {});
  EXPECT_EQ(states(built.set()), (std::vector{healthy, unhealthy, draining, healthy}));
  EXPECT_EQ(built.set().endpoints[1]->reason(), "refused");
  targets[2].verdict->set(unhealthy, "timed out", {});
  targets[3].verdict->set(healthy, "answered 200", {});
  EXPECT_EQ(states(built.set()), (std::vector{healthy, unhealthy, unhealthy, healthy}));
  targets[1].verdict->set(draining, "answered 503", {});
  targets[5].verdict->set(unknown, "", {});
  EXPECT_EQ(states(built.set()), (std::vector{draining, unhealthy, unhealthy, unknown}));
  EXPECT_EQ(built.set().nodes[0]->verdict->state(), healthy) << "the node is well, what serves there is not";
}

TEST(EndpointSets, AWeightIsWhatTheNodesProbeSays) {
  const Built built({twofold("s", 80)});
  const auto targets = built.sets->probe_targets();
  for (const auto& target : targets) target.verdict->set_weight(100);
  targets[0].verdict->set_weight(3);
  targets[2].verdict->set_weight(8);
  const auto& e = built.set().endpoints;
  EXPECT_EQ(e[0]->effective_weight(true), 3);
  EXPECT_EQ(e[1]->effective_weight(true), 4);
  EXPECT_EQ(e[2]->effective_weight(true), 4);
}

TEST(EndpointSets, ATrackerTakesBothVerdicts) {
  using enum HealthState;
  conf::Service tracker = twofold("tracker", 443);
  tracker.node_health.reset();
  tracker.health->kind = conf::ProbeKind::track, tracker.health->track = "tracked";
  conf::Service loose;  // the endpoints without their nodes
  loose.name = "loose", loose.health = tracker.health;
  loose.endpoints = {endpoint(1, 443), endpoint(21, 443), endpoint(22, 443), endpoint(5, 443), endpoint(2, 443)};
  conf::Service second = loose;
  second.name = "second", second.health->track = "loose";
  const Built built({second, loose, tracker, twofold("tracked", 80)});
  const auto targets = built.sets->probe_targets();
  ASSERT_EQ(targets.size(), 6u);
  for (const auto& target : targets) {
    EXPECT_EQ(target.affected.size(), 4u) << target.name;
    target.verdict->set(healthy, "", {});
  }
  struct Change {
    std::size_t target;
    std::vector<HealthState> tracked;  // as states() of it; the node b itself is last
  };
  const Change changes[] = {
      {0, {unhealthy, healthy, healthy, healthy, healthy}},     {1, {unhealthy, healthy, healthy, healthy, healthy}},
      {2, {healthy, unhealthy, unhealthy, healthy, unhealthy}}, {3, {healthy, unhealthy, healthy, healthy, healthy}},
      {4, {healthy, healthy, unhealthy, healthy, healthy}},     {5, {healthy, healthy, healthy, unhealthy, healthy}},
  };
  for (const auto& [target, expected] : changes) {
    SCOPED_TRACE(targets[target].name + " " + targets[target].address.to_string());
    targets[target].verdict->set(unhealthy, "", {});
    EXPECT_EQ(states(built.set(1)), expected);
    EXPECT_EQ(states(built.set(0)), expected) << "through another tracker";
    const std::vector<HealthState> served(expected.begin(), expected.end() - 1);
    EXPECT_EQ(states(built.set(3)), served);
    EXPECT_EQ(states(built.set(2)), served);
    targets[target].verdict->set(healthy, "", {});
  }
}

TEST(EndpointSets, NodesMayTrackWhileEndpointsAreAsked) {
  conf::Service tracker = twofold("tracker", 443);
  tracker.node_health->kind = conf::ProbeKind::track, tracker.node_health->track = "tracked";
  const Built built({tracker, twofold("tracked", 80)});
  EXPECT_EQ(built.set(0).nodes[0]->verdict, built.set(1).nodes[0]->verdict);
  EXPECT_EQ(built.set(0).nodes[1]->verdict, built.set(1).nodes[1]->verdict);
  EXPECT_EQ(seen(built).probes.size(), 4u + 6u);
  EXPECT_EQ(built.set(0).endpoints[0]->verdict, built.sets->probe_targets()[0].verdict);
  for (const auto& e : built.set(0).endpoints) EXPECT_TRUE(e->verdict);
  built.set(1).nodes[1]->verdict->set(HealthState::draining, "", {});
  EXPECT_EQ(built.set(0).endpoints[1]->state(), HealthState::draining);

  // And the other way round: nodes are asked, what serves there tracks.
  tracker = twofold("tracker", 443);
  tracker.health->kind = conf::ProbeKind::track, tracker.health->track = "tracked";
  tracker.node_health->port = 32122;
  const Built other({tracker, twofold("tracked", 80)});
  EXPECT_EQ(seen(other).probes.size(), 2u + 6u);
  EXPECT_EQ(other.set(0).endpoints[0]->verdict, other.set(1).endpoints[0]->verdict);
  EXPECT_EQ(other.set(0).endpoints[2]->verdict, other.set(1).endpoints[2]->verdict);
  EXPECT_NE(other.set(0).nodes[0]->verdict, other.set(1).nodes[0]->verdict);
}

TEST(EndpointSets, OneProbeTargetHasOneVerdictForAllServices) {
  conf::Service base;
  base.port = 30080, base.health = http(32122), base.nodes = {node("10.0.0.1")};
  const auto named = [&base](const char* name, auto change) {
    conf::Service s = base;
    s.name = name;
    change(s);
    return s;
  };
  const std::vector<conf::Service> all = {
      named("first", [](auto&) {}),
      named("same", [](auto& s) { s.nodes[0].name = "called otherwise"; }),
      named("weight", [](auto& s) { s.health->weight_from_probe = true; }),
      named("path", [](auto& s) { s.health->path = "/other"; }),
      named("host", [](auto& s) { s.health->host = "h"; }),
      named("strict", [](auto& s) { s.health->strict = true; }),
      named("interval", [](auto& s) { s.health->interval = conf::Milliseconds(1); }),
      named("timeout", [](auto& s) { s.health->timeout = conf::Milliseconds(1); }),
      named("rise", [](auto& s) { s.health->rise = 2; }),
      named("fall", [](auto& s) { s.health->fall = 2; }),
      named("fast_interval", [](auto& s) { s.health->fast_interval = conf::Milliseconds(1); }),
      named("status", [](auto& s) { s.health->expect_statuses = {{200, 200}}; }),
      named("header", [](auto& s) { s.health->headers = {{"A", "b"}}; }),
      named("body", [](auto& s) { s.health->expect_body = "ok"; }),
      named("fall_draining", [](auto& s) { s.health->fall_draining = 2; }),
      named("send_proxy", [](auto& s) { s.health->send_proxy = conf::ProxyOnProbe::v2; }),
      named("port", [](auto& s) { s.health->port = 1; }),
      named("tcp", [](auto& s) { s.health->kind = conf::ProbeKind::tcp; }),
      named("tcp with a path that means nothing",
            [](auto& s) { s.health->kind = conf::ProbeKind::tcp, s.health->path = "/x"; }),
  };
  const Built built(all);
  const std::vector<std::string> expected = {
      "first",         "path",   "host",   "strict", "interval",      "timeout",    "rise", "fall",
      "fast_interval", "status", "header", "body",   "fall_draining", "send_proxy", "port", "tcp"};
  const auto targets = built.sets->probe_targets();
  std::vector<std::string> names;
  for (const auto& t : targets) names.push_back(t.name.substr(0, t.name.find('/')));
  EXPECT_EQ(names, expected);

  const auto& shared = targets[0];
  ASSERT_EQ(shared.affected.size(), 3u);
  shared.verdict->set(HealthState::draining, "", {});
  for (std::size_t i = 0; i < built.services.size(); ++i) {
    EXPECT_EQ(built.set(i).endpoints[0]->state(), i < 3 ? HealthState::draining : HealthState::unknown) << i;
    EXPECT_EQ(built.set(i).nodes[0]->verdict == shared.verdict, i < 3);
  }
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

TEST(Endpoint, ServesOnlyIfItsNodeAndItsOwnProbeAllowIt) {
  using enum HealthState;
  struct States {
    std::optional<HealthState> node, own;
    HealthState expected;
  };
  const States table[] = {
      {{}, {}, healthy},
      {healthy, {}, healthy},
      {{}, draining, draining},
      {unknown, healthy, unknown},
      {healthy, unknown, unknown},
      {draining, unknown, draining},
      {healthy, unhealthy, unhealthy},
      {unhealthy, healthy, unhealthy},
      {draining, unhealthy, unhealthy},
      {unhealthy, draining, unhealthy},
      {healthy, healthy, healthy},
  };
  for (const States& c : table) {
    const auto n = std::make_shared<Node>();
    Endpoint e;
    e.passive = std::make_shared<PassiveHealth>();
    const auto verdict = [](HealthState state) {
      auto v = std::make_shared<HealthVerdict>();
      v->set(state, "because", {});
      return v;
    };
    if (c.node) n->verdict = verdict(*c.node);
    if (c.own) e.verdict = verdict(*c.own);
    e.node = n;
    EXPECT_EQ(e.state(), c.expected) << (c.node ? to_string(*c.node) : "-") << "/" << (c.own ? to_string(*c.own) : "-");
    e.node = nullptr;
    EXPECT_EQ(e.state(), c.own.value_or(healthy)) << "an endpoint that stands alone";
  }
}

}  // namespace
}  // namespace telltale::proxy
