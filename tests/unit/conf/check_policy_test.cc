#include "tests/unit/conf/findings.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

using namespace test;

constexpr std::string_view nodes =
    "port: 80, nodes: [{name: node-a, address: 10.0.0.1}, {name: node-b, address: 10.0.0.2}]";

std::string file(std::string_view top, std::string_view listener, std::string_view service) {
  return std::string(top) + "\nlisteners: [{listen: ':80', service: web" + std::string(listener) +
         "}]\nservices:\n- {name: web,\n" + std::string(service) + "}\n";
}
std::string outside(std::string_view service) { return file("", "", service); }
std::string on(std::string_view node, std::string_view service) {
  return file("node_name: " + std::string(node), "", service);
}
std::string within(std::string_view top, std::string_view service) { return file(top, ", internal: true", service); }
std::string with_nodes(std::string_view fields) { return std::string(fields).append(", ").append(nodes); }

TEST(Loader, ReportsTrafficPolicies) {
  const std::string nobody_here =
      "5:26: warning: services[0].external_traffic_policy: no node of this service is called \"node-c\", as "
      "`node_name` "
      "is: nothing can serve here";
  const Case cases[] = {
      {"cluster", outside(with_nodes("external_traffic_policy: cluster, internal_traffic_policy: cluster")), {}},
      {"local from outside, by the probes",
       outside(with_nodes("external_traffic_policy: local, health: {port: 81}")),
       {}},
      {"local from outside, by probes of the nodes",
       outside(with_nodes("external_traffic_policy: local, node_health: {port: 81}")),
       {}},
      {"local from outside, by nothing",
       outside(with_nodes("external_traffic_policy: local")),
       {"5:26: warning: services[0].external_traffic_policy: without `health` every node counts as having endpoints of "
        "its own"}},
      {"local on one of the nodes needs no probe", on("node-a", with_nodes("external_traffic_policy: local")), {}},
      {"local on another node", on("node-c", with_nodes("external_traffic_policy: local")), {nobody_here}},
      {"local on a node, and endpoints of none",
       on("node-c", "external_traffic_policy: local, endpoints: [10.0.0.1:80]"),
       {nobody_here}},
      {"a file may bring the node", on("node-c", with_nodes("external_traffic_policy: local, endpoints_file: /f")), {}},
      {"and so may a name",
       on("node-c", "external_traffic_policy: local, port: 80, nodes: [{address: nodes.internal}]"),
       {}},
      {"for clients within, of our node",
       within("node_name: node-a", with_nodes("internal_traffic_policy: local")),
       {}},
      {"of another node",
       within("node_name: node-c", with_nodes("internal_traffic_policy: local")),
       {"5:26: warning: services[0].internal_traffic_policy: no node of this service is called \"node-c\", as "
        "`node_name` is: nothing can serve here"}},
      {"of no node at all",
       within("", with_nodes("internal_traffic_policy: local")),
       {"5:26: warning: services[0].internal_traffic_policy: has no effect: it means the endpoints of our own node, "
        "and "
        "`node_name` does not say which that is"}},
      {"the internal policy, and only external listeners",
       on("node-a", with_nodes("internal_traffic_policy: local")),
       {"5:26: warning: services[0].internal_traffic_policy: has no effect: no listener with `internal: true` leads "
        "here"}},
      {"the external policy, and only internal listeners",
       within("node_name: node-a", with_nodes("external_traffic_policy: local")),
       {"5:26: warning: services[0].external_traffic_policy: has no effect: only listeners with `internal: true` lead "
        "here"}},
      {"where the health port tells of it",
       within("node_name: node-a", with_nodes("external_traffic_policy: local, health_check_node_port: 32122")),
       {}},
      {"near our zone, wherever that is",
       outside(with_nodes("traffic_distribution: prefer_same_zone")),
       {"5:23: warning: services[0].traffic_distribution: has no effect: neither `zone` nor `node_name` says where "
        "this "
        "process runs"}},
      {"near our zone", file("zone: a", "", with_nodes("traffic_distribution: prefer_same_zone")), {}},
      {"near our node's zone", on("node-a", with_nodes("traffic_distribution: prefer_same_zone")), {}},
      {"near our node", on("node-a", with_nodes("traffic_distribution: prefer_same_node")), {}},
      {"near our node, whichever that is",
       outside(with_nodes("traffic_distribution: prefer_same_node")),
       {"5:23: warning: services[0].traffic_distribution: has no effect: `node_name` does not say which node is ours"}},
      {"in the zone at least",
       file("zone: a", "", with_nodes("traffic_distribution: prefer_same_node")),
       {"5:23: warning: services[0].traffic_distribution: is the same as prefer_same_zone: `node_name` does not say "
        "which node is ours"}},
      {"internal is a yes or no",
       file("", ", internal: cluster", nodes),
       {"2:53: error: listeners[0].internal: \"cluster\" is not true or false"}},
  };
  expect(cases);
}

TEST(Loader, SuggestsTheNodeThatWasMeant) {
  const LoadResult result = load_text(on("Node-A", with_nodes("external_traffic_policy: local")));
  ASSERT_EQ(result.diagnostics.size(), 1u);
  EXPECT_EQ(result.diagnostics[0].hint, "did you mean \"node-a\"?");
}

}  // namespace
}  // namespace telltale::conf
