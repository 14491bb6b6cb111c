#include "tests/unit/conf/findings.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

using namespace test;

TEST(Loader, ReportsNodesAndEndpoints) {
  const Case cases[] = {
      {"names",
       with_service("port: 80, nodes: [{address: node-a.example}], endpoints: [web:80, 'shop.internal.:8080', "
                    "{address: shop.internal:80}, {srv: _http._tcp.shop.internal}]"),
       {}},
      {"endpoints",
       with_service("endpoints: [10.0.0.1, ':80', 10.0.0.1:0, {}, {address: web}, unix:/x, 10.0.0.300:80]"),
       {"3:27: error: services[0].endpoints[0]: \"10.0.0.1\" has no port",
        "3:37: error: services[0].endpoints[1]: \"[::]:80\" says no host",
        "3:44: error: services[0].endpoints[2]: \"10.0.0.1:0\" has port 0: nothing can be reached there",
        "3:56: error: services[0].endpoints[3]: one of address or srv is wanted here",
        "3:70: error: services[0].endpoints[4].address: \"web\" has no port",
        "3:85: error: services[0].endpoints[6]: \"10.0.0.300:80\" is not an IP address or host name and a port"}},
      {"an address and a name",
       with_service("endpoints: [{address: 10.0.0.1:80, srv: _http._tcp.shop.internal}]"),
       {"3:55: error: services[0].endpoints[0].srv: only one of address or srv can be given, not address and srv"}},
      {"a name with its port",
       with_service("endpoints: [{srv: 'shop.internal:80'}]"),
       {"3:33: error: services[0].endpoints[0].srv: \"shop.internal:80\" is not a name with SRV records"}},
      {"a misspelt field",
       with_service("endpoints: [{adress: 10.0.0.1:80}]"),
       {"3:28: error: services[0].endpoints[0].adress: unknown field \"adress\""}},
      {"out of range",
       with_service("endpoints: [{address: 10.0.0.1:80, priority: 128, weight: 65536, serving: maybe, for_zones: a}]"),
       {"3:60: error: services[0].endpoints[0].priority: \"128\" is out of range",
        "3:73: error: services[0].endpoints[0].weight: \"65536\" is out of range",
        "3:89: error: services[0].endpoints[0].serving: \"maybe\" is not true or false",
        "3:107: error: services[0].endpoints[0].for_zones: a list is wanted here"}},
      {"twice",
       with_service("endpoints: [10.0.0.1:80, {address: 10.0.0.1:80, weight: 2}, web:80, WEB:80, {srv: a.b}, {srv: "
                    "a.b}, a.b:81]"),
       {"3:40: warning: services[0].endpoints[1]: \"10.0.0.1:80\" is listed twice in this service",
        "3:83: warning: services[0].endpoints[3]: \"web:80\" is listed twice in this service",
        "3:103: warning: services[0].endpoints[5]: \"a.b\" is listed twice in this service"}},
      {"only terminating, or at a lower priority",
       with_service("endpoints: [{address: 10.0.0.1:80, terminating: true}, {address: 10.0.0.2:80, priority: 9}]"),
       {}},
      {"a node whose endpoints may be another's",
       with_service("nodes: [{address: node-a.example, endpoints: [10.0.0.1:80]}]"),
       {"3:60: error: services[0].nodes[0].endpoints: the node is given by name: if that has several addresses, nobody "
        "can say whose these are"}},
      {"a node with an empty list",
       with_service("port: 80, nodes: [{address: 10.0.0.2, endpoints: []}]"),
       {"3:64: error: services[0].nodes[0].endpoints: is empty, which may mean that the NodePort serves or that nobody "
        "does"}},
      {"a node's address with a port",
       with_service("port: 80, nodes: [{address: '10.0.0.1:80'}, {address: node-a:80}, {address: '::'}]"),
       {"3:43: error: services[0].nodes[0].address: \"10.0.0.1:80\" has a port; only the host belongs here",
        "3:69: error: services[0].nodes[1].address: \"node-a:80\" has a port; only the host belongs here",
        "3:91: error: services[0].nodes[2].address: \"::\" says no host"}},
  };
  expect(cases);
}

TEST(Loader, NamesEndpointsAsTheyAreWritten) {
  const LoadResult result = load_text(with_service(
      "port: 80, endpoints: [10.0.0.1:80, Web:80, {srv: SRV.internal}, {address: web:81, name: b}], nodes: [{address: "
      "Node-A}, {name: n, address: 10.0.0.2}]"));
  ASSERT_TRUE(result.model) << render(result, "x");
  std::vector<std::string> names;
  for (const Endpoint& each : result.model->services[0].endpoints) names.push_back(each.name);
  for (const Node& each : result.model->services[0].nodes) names.push_back(each.name);
  EXPECT_EQ(names, (std::vector<std::string>{"10.0.0.1:80", "web:80", "srv.internal", "b", "node-a", "n"}));
}

}  // namespace
}  // namespace telltale::conf
