#include "proxy/upstream/selection.h"
#include "tests/unit/proxy/upstream/built.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

/// Who may be chosen where kube-proxy stands, on a node: its answers to the cases of its own table test
/// (TestCategorizeEndpoints, pkg/proxy/topology_test.go), put as ours. Its "cluster endpoints" are those of the kind of
/// traffic whose policy is `cluster`, its "local endpoints" those of the kind whose policy is `local`; the annotation
/// for hints is `traffic_distribution`. What it tests of switches that no longer exist is left out.
namespace telltale::proxy {
namespace {

using enum conf::TrafficDistribution;

constexpr auto cluster = conf::TrafficPolicy::cluster, local = conf::TrafficPolicy::local;
constexpr const char* our_node = "here";

enum class State : std::uint8_t { ready, not_ready, terminating };
using enum State;
using Hints = std::vector<std::string>;

struct Row {
  std::string name;
  Hints zones;
  State state = ready;
  bool is_local = false;
  Hints nodes = {};
  unsigned priority = 0;
};

struct Case {
  const char* description;
  conf::TrafficDistribution distribution;
  const char* zone;
  conf::TrafficPolicy external, internal;
  std::vector<Row> rows;
  const char *to_external, *to_internal;  ///< names, sorted; behind `terminating:` where that is why
  std::size_t counted;                    ///< by a health port
};

/// Local ones are of our node; the others of none, so that they have the hints of the table alone.
conf::Service service_of(const Case& c) {
  conf::Service conf;
  conf.name = "s";
  conf.external_traffic_policy = c.external;
  conf.internal_traffic_policy = c.internal;
  conf.traffic_distribution = c.distribution;
  conf::Node node;
  node.name = our_node;
  node.host = "10.0.0.1";
  for (std::uint8_t i = 0; i < c.rows.size(); ++i) {
    const Row& row = c.rows[i];
    conf::Endpoint& endpoint = (row.is_local ? node.endpoints : conf.endpoints).emplace_back();
    endpoint.address.ip = net::IpPort{net::IpAddress::v4(10, 1, 0, i), 80};
    endpoint.name = row.name;
    endpoint.for_zones = row.zones;
    endpoint.for_nodes = row.nodes;
    endpoint.serving = row.state != not_ready;
    endpoint.terminating = row.state == terminating;
    endpoint.priority = row.priority;
  }
  if (!node.endpoints.empty()) conf.nodes.push_back(std::move(node));
  return conf;
}

std::string text_of(const Selection& selection, const EndpointSet& set) {
  std::string names;
  for (const Candidate& candidate : selection.candidates) {
    names += (*std::ranges::find(set.endpoints, candidate.endpoint, &Endpoint::index))->name;
  }
  std::ranges::sort(names);
  return selection.reason == SelectionReason::fit ? names : std::string(to_string(selection.reason)) + ":" + names;
}

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.description);
    const conf::Service conf = service_of(c);
    const test::Built built({conf});
    const Location location{our_node, c.zone};
    const auto select = [&](TrafficKind kind) {
      return select_endpoints(conf, built.set(), location, kind, std::chrono::system_clock::now());
    };
    const Selection external = select(TrafficKind::external);
    EXPECT_EQ(text_of(external, built.set()), c.to_external);
    EXPECT_EQ(text_of(select(TrafficKind::internal), built.set()), c.to_internal);
    EXPECT_EQ(count_local(conf, built.set(), location, external.reason), c.counted);
  }
}

const Row a{"3", {"a"}}, b{"4", {"b"}}, c{"5", {"c"}}, a_too{"6", {"a"}};

TEST(SelectionLikeKubeProxy, ZoneHints) {
  check({
      {"filtered by zone", prefer_same_zone, "a", cluster, cluster, {a, b, c, a_too}, "36", "36", 0},
      {"not wanted: ignored", any, "a", cluster, cluster, {a, b, c, a_too}, "3456", "3456", 0},
      {"no zone is known", prefer_same_zone, "", cluster, cluster, {a}, "3", "3", 0},
      {"we are in another zone", prefer_same_zone, "b", cluster, cluster, {a}, "3", "3", 0},
      {"one of our zone is not ready",
       prefer_same_zone,
       "a",
       cluster,
       cluster,
       {a, b, c, {"6", {"a"}, not_ready}},
       "3",
       "3",
       0},
      {"those of our zone are not ready: all who are",
       prefer_same_zone,
       "a",
       cluster,
       cluster,
       {{"3", {"a"}, not_ready}, b, c, {"6", {"a"}, not_ready}},
       "45",
       "45",
       0},
      {"one has no hint: all", prefer_same_zone, "a", cluster, cluster, {a, b, {"5", {}}, a_too}, "3456", "3456", 0},
      {"one that is not ready has no hint: it does not matter",
       prefer_same_zone,
       "a",
       cluster,
       cluster,
       {a, b, {"5", {}, not_ready}, {"7", {}, terminating}},
       "3",
       "3",
       0},
      {"several hints each",
       prefer_same_zone,
       "c",
       cluster,
       cluster,
       {{"3", {"a", "b", "c"}}, {"4", {"b", "c"}}, {"5", {"b", "d"}}, {"6", {"c"}}},
       "346",
       "346",
       0},
      {"only terminating ones: hints are for ready ones",
       prefer_same_zone,
       "a",
       cluster,
       cluster,
       {{"3", {"a"}, terminating}, {"4", {"b"}, terminating}},
       "terminating:34",
       "terminating:34",
       0},
  });
}

TEST(SelectionLikeKubeProxy, ZoneHintsDoNotMatterUnderLocal) {
  const Row here_a{"3", {"a"}, ready, true}, here_b{"4", {"b"}, ready, true};
  check({
      {"external", prefer_same_zone, "a", local, cluster, {here_a, here_b, c, a_too}, "34", "36", 2},
      {"internal", prefer_same_zone, "a", cluster, local, {here_a, here_b, c, a_too}, "36", "34", 2},
      {"topology and locality in conflict",
       prefer_same_zone,
       "a",
       local,
       cluster,
       {{"0", {"a"}, ready, true}, {"1", {"b"}, ready, true}, {"2", {"a"}}, {"3", {"b"}}},
       "01",
       "02",
       2},
      {"cluster: what hints leave out counts all the same",
       prefer_same_zone,
       "a",
       cluster,
       cluster,
       {here_b, a_too, {"7", {"b"}, not_ready, true}},
       "6",
       "6",
       1},
  });
}

TEST(SelectionLikeKubeProxy, NodeHintsThenZoneHints) {
  const Row here{"3", {"a"}, ready, true}, near{"4", {"a"}, ready, false, {"near"}},
      far{"5", {"b"}, ready, false, {"far"}};
  check({
      {"our node", prefer_same_node, "a", cluster, cluster, {here, near, far}, "3", "3", 1},
      {"hinted for our node, though elsewhere",
       prefer_same_node,
       "a",
       cluster,
       cluster,
       {near, far, {"6", {"b"}, ready, false, {"far", our_node}}},
       "6",
       "6",
       0},
      {"nobody for our node: our zone", prefer_same_node, "a", cluster, cluster, {near, far}, "4", "4", 0},
      {"ours is not ready: our zone",
       prefer_same_node,
       "a",
       cluster,
       cluster,
       {{"3", {"a"}, not_ready, true}, near, far},
       "4",
       "4",
       0},
      {"one has no node hint: our zone",
       prefer_same_node,
       "a",
       cluster,
       cluster,
       {here, near, {"5", {"b"}}},
       "34",
       "34",
       1},
      {"nor zone hints: all", prefer_same_node, "a", cluster, cluster, {here, near, {"5", {}}}, "345", "345", 1},
      {"all are for our node: zones do not matter then",
       prefer_same_node,
       "a",
       cluster,
       cluster,
       {here, {"4", {"b"}, ready, true}},
       "34",
       "34",
       2},
      {"zones only: node hints do not matter",
       prefer_same_zone,
       "a",
       cluster,
       cluster,
       {here, near, far},
       "34",
       "34",
       1},
  });
}

TEST(SelectionLikeKubeProxy, Policies) {
  const Row here{"0", {}, ready, true}, there{"1", {}};
  check({
      {"nobody at all", any, "", local, local, {}, "no_endpoint:", "no_endpoint:", 0},
      {"local: all are remote",
       any,
       "",
       local,
       local,
       {{"0", {}}, there},
       "no_local_endpoint:",
       "no_local_endpoint:",
       0},
      {"local: all are here", any, "", local, local, {here, {"1", {}, ready, true}}, "01", "01", 2},
      {"local: some are here", any, "", local, local, {here, there}, "0", "0", 1},
      {"internal local, external cluster", any, "", cluster, local, {here, there}, "01", "0", 1},
      {"internal cluster, external local", any, "", local, cluster, {here, there}, "0", "01", 1},
      {"cluster: nobody is ready",
       any,
       "",
       cluster,
       cluster,
       {{"0", {}, not_ready}, {"1", {}, not_ready}},
       "no_endpoint:",
       "no_endpoint:",
       0},
      {"cluster: one is ready", any, "", cluster, cluster, {{"0", {}, not_ready}, there}, "1", "1", 0},
      {"cluster: all terminate",
       any,
       "",
       cluster,
       cluster,
       {{"0", {}, terminating, true}, {"1", {}, terminating}},
       "terminating:01",
       "terminating:01",
       0},
      {"local: all are remote and terminate",
       any,
       "",
       local,
       local,
       {{"0", {}, terminating}, {"1", {}, terminating}},
       "no_local_endpoint:",
       "no_local_endpoint:",
       0},
      {"external local: the only ones here terminate",
       any,
       "",
       local,
       cluster,
       {{"0", {}}, {"1", {}, not_ready, true}, {"2", {}, terminating, true}, {"3", {}, terminating}},
       "terminating:2",
       "0",
       0},
  });
}

/// kube-proxy has no priorities. A spare is to it as if it were not there, but that health ports count it.
TEST(SelectionLikeKubeProxy, Priorities) {
  const Row spare{"7", {"a"}, ready, false, {our_node}, 1};
  check({
      {"the first priority, then hints", prefer_same_zone, "a", cluster, cluster, {b, c, spare}, "45", "45", 0},
      {"a spare without a hint",
       prefer_same_zone,
       "a",
       cluster,
       cluster,
       {a, b, {"7", {}, ready, false, {}, 1}},
       "3",
       "3",
       0},
      {"spares serve, by their hints",
       prefer_same_zone,
       "a",
       cluster,
       cluster,
       {{"3", {}, not_ready}, spare, {"8", {"b"}, ready, false, {}, 1}},
       "7",
       "7",
       0},
      {"node hints likewise", prefer_same_node, "a", cluster, cluster, {{"4", {"a"}}, spare}, "4", "4", 0},
      {"local: first our node, then priorities",
       any,
       "",
       local,
       local,
       {{"0", {}}, {"1", {}, ready, true, {}, 2}, {"2", {}, ready, true, {}, 1}},
       "2",
       "2",
       2},
      {"spares of our node count",
       any,
       "",
       cluster,
       cluster,
       {{"0", {}}, {"1", {}, ready, true, {}, 1}, {"2", {}, not_ready, true, {}, 1}},
       "0",
       "0",
       1},
  });
}

}  // namespace
}  // namespace telltale::proxy
