#include "proxy/upstream/endpoint_sets.h"
#include "tests/unit/proxy/upstream/members_of.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace telltale::proxy {
namespace {

using namespace test;

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

TEST(EndpointSets, ATrackerOfANodeOfSeveralAddressesTakesTheSameOne) {
  conf::Service tracked, tracker;
  tracked.name = "tracked", tracked.health = http(32122), tracked.port = 80;
  tracked.nodes = addresses_of_n({"10.0.0.1", "10.0.0.2"});
  tracker.name = "tracker", tracker.port = 443;
  tracker.health.emplace().kind = conf::ProbeKind::track, tracker.health->track = "tracked";
  tracker.nodes = addresses_of_n({"10.0.0.2", "10.0.0.1", "10.9.9.9"});
  const Built built({tracked, tracker});
  const auto& nodes = built.set(0).nodes;
  const auto& mine = built.set(1).nodes;
  EXPECT_EQ(mine[0]->verdict, nodes[1]->verdict);
  EXPECT_EQ(mine[1]->verdict, nodes[0]->verdict);
  EXPECT_EQ(mine[2]->verdict, nodes[0]->verdict) << "it has no other address in common";
  built.sets->use(0, {addresses_of_n({"10.0.0.2"}), {}}, {});
  for (const auto& each : built.set(1).nodes) EXPECT_EQ(each->verdict, built.set(0).nodes[0]->verdict);
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
