#include "tests/unit/conf/findings.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

using namespace test;

/// `web` tracks `other`, each with these fields; others may follow.
std::string tracking(std::string_view web, std::string_view other, std::string_view more = "") {
  return "listeners: [{listen: ':80', service: web}]\nservices:\n- {name: web, health: {track: other},\n" +
         std::string(web) + "}\n- {name: other,\n" + std::string(other) + "}\n" + std::string(more);
}

/// The nodes of `web` track those of `other`.
std::string node_tracking(std::string_view web, std::string_view other) {
  return "listeners: [{listen: ':80', service: web}]\nservices:\n- {name: web, health: {}, node_health: {track: "
         "other},\n"
         "port: 81, " +
         std::string(web) + "}\n- {name: other, port: 80,\n" + std::string(other) + "}\n";
}

TEST(Loader, ReportsTracking) {
  const std::string probed = "health: {}, endpoints: [10.0.0.1:80, 'unix:/run/a.sock']";
  const Case cases[] = {
      {"the same addresses at other ports", tracking("endpoints: [10.0.0.1:8443, 'unix:/run/a.sock']", probed), {}},
      {"who is tracked needs no route", tracking("endpoints: [10.0.0.1:80]", probed), {}},
      {"a service that is not",
       with_service("endpoints: [10.0.0.1:80], health: {track: wep}"),
       {"3:57: error: services[0].health.track: there is no service \"wep\""}},
      {"itself",
       with_service("endpoints: [10.0.0.1:80], health: {track: web}"),
       {"3:57: error: services[0].health.track: no service has verdicts of its own here: \"web\" tracks \"web\""}},
      {"nothing to be called",
       with_service("endpoints: [10.0.0.1:80], health: {track: []}"),
       {"3:57: error: services[0].health.track: text is wanted here, not a list"}},
      {"one without probes",
       tracking("endpoints: [10.0.0.1:80]", "endpoints: [10.0.0.1:80]"),
       {"3:31: error: services[0].health.track: the service \"other\" has no `health`: there is nothing to track"}},
      {"one another",
       tracking("endpoints: [10.0.0.1:80]", "health: {track: web}, endpoints: [10.0.0.1:80]"),
       {"3:31: error: services[0].health.track: no service has verdicts of its own here: \"web\" tracks \"other\" "
        "tracks "
        "\"web\""}},
      {"a circle further on",
       tracking("endpoints: [10.0.0.1:80]", "health: {track: third}, endpoints: [10.0.0.1:80]",
                "- {name: third, health: {track: other}, endpoints: [10.0.0.1:80]}\n"),
       {"6:17: error: services[1].health.track: no service has verdicts of its own here: \"other\" tracks \"third\" "
        "tracks \"other\""}},
      {"a chain",
       tracking("endpoints: [10.0.0.1:80]", "health: {track: third}, endpoints: [10.0.0.1:80]",
                "- {name: third, health: {}, endpoints: [10.0.0.1:80]}\n"),
       {}},
      {"another field beside it",
       with_service("endpoints: [10.0.0.1:80], health: {track: web2, interval: 1s, port: 80}}\n"
                    "- {name: web2, health: {}, endpoints: [10.0.0.1:80]"),
       {"3:73: error: services[0].health.interval: has no place beside `track`: the other service's probes decide",
        "3:83: error: services[0].health.port: has no place beside `track`: the other service's probes decide"}},
      {"another kind beside it",
       with_service("endpoints: [10.0.0.1:80], health: {tcp: true, track: web2}}\n"
                    "- {name: web2, health: {}, endpoints: [10.0.0.1:80]"),
       {"3:68: error: services[0].health.track: only one of http, https, tcp, grpc and track can be given, not tcp and "
        "track",
        "4:10: warning: services[1].name: no route leads to the service \"web2\""}},
      {"addresses without a counterpart",
       tracking("endpoints: [10.0.0.2:80, {address: 10.0.0.1:81}, 'unix:/run/b.sock']", probed),
       {"4:13: error: services[0].endpoints[0]: \"10.0.0.2:80\" has no counterpart in the service \"other\", which is "
        "tracked",
        "4:50: error: services[0].endpoints[2]: \"unix:/run/b.sock\" has no counterpart in the service \"other\", "
        "which "
        "is tracked"}},
      {"nodes by name or address",
       tracking("port: 81, nodes: [{name: a, address: 10.9.0.1}, {name: x, address: 10.0.0.2}, {name: y, address: "
                "10.9.0.3}]",
                "health: {}, port: 80, nodes: [{name: a, address: 10.0.0.1}, {name: b, address: 10.0.0.2}]"),
       {"4:79: error: services[0].nodes[2]: \"y\" has no counterpart in the service \"other\", which is tracked"}},
      {"endpoints of nodes",
       tracking(
           "nodes: [{name: a, address: 10.9.0.1, endpoints: [10.9.1.1:80]}, {name: x, address: 10.9.0.2, endpoints: "
           "[10.1.0.1:80, 10.1.0.2:80]}]",
           "health: {}, nodes: [{name: a, address: 10.0.0.1, endpoints: [10.1.0.1:80]}]"),
       {"4:119: error: services[0].nodes[1].endpoints[1]: \"10.1.0.2:80\" has no counterpart in the service \"other\", "
        "which is tracked"}},
      {"a node that is not probed itself is nobody's counterpart by address",
       tracking("endpoints: [10.0.0.1:80]",
                "health: {}, nodes: [{name: a, address: 10.0.0.1, endpoints: [10.1.0.1:80]}]"),
       {"4:13: error: services[0].endpoints[0]: \"10.0.0.1:80\" has no counterpart in the service \"other\", which is "
        "tracked"}},
      {"one that is",
       tracking("endpoints: [10.0.0.1:80]",
                "health: {}, nodes: [{name: a, address: 10.0.0.1, health_port: 81, endpoints: [10.1.0.1:80]}]"),
       {}},
      {"one whose nodes alone are probed",
       tracking("endpoints: [10.0.0.1:80]",
                "node_health: {port: 81}, nodes: [{name: a, address: 10.0.0.1, endpoints: [10.1.0.1:80]}]"),
       {}},
      {"endpoints there that nobody probes",
       tracking("endpoints: [10.0.0.2:80]",
                "node_health: {port: 81}, port: 80, nodes: [{name: a, address: 10.0.0.1}], endpoints: [10.0.0.2:80]"),
       {"4:13: error: services[0].endpoints[0]: \"10.0.0.2:80\" has no counterpart in the service \"other\", which is "
        "tracked"}},
      {"nodes track, endpoints are asked",
       node_tracking("nodes: [{name: a, address: 10.9.0.1}, {name: x, address: 10.0.0.1}]",
                     "health: {}, nodes: [{name: a, address: 10.0.0.1}]"),
       {}},
      {"a node that has nobody to track",
       node_tracking("nodes: [{name: x, address: 10.9.0.1, endpoints: [10.0.0.1:80]}], endpoints: [10.0.0.2:80]",
                     "health: {}, nodes: [{name: a, address: 10.0.0.1}]"),
       {"4:19: error: services[0].nodes[0]: \"x\" has no counterpart in the service \"other\", which is tracked"}},
      {"nodes track a service without probes",
       node_tracking("nodes: [{name: a, address: 10.0.0.1}]", "nodes: [{name: a, address: 10.0.0.1}]"),
       {"3:48: error: services[0].node_health.track: the service \"other\" has no `health`: there is nothing to "
        "track"}},
      {"a circle by way of both",
       node_tracking("nodes: [{name: a, address: 10.0.0.1}]",
                     "health: {track: web}, nodes: [{name: a, address: 10.0.0.1}]"),
       {"3:48: error: services[0].node_health.track: no service has verdicts of its own here: \"web\" tracks \"other\" "
        "tracks \"web\""}},
      {"who is found later may have one", tracking("endpoints: [10.0.0.2:80]", "health: {}, endpoints_file: /f"), {}},
      {"likewise by name", tracking("endpoints: [web:80, 10.0.0.2:80]", probed), {}},
      {"a port for probes that are not made",
       tracking("nodes: [{name: a, address: 10.0.0.1, port: 80, health_port: 81}]", probed),
       {"4:9: warning: services[0].nodes[0]: `health_port` has no effect: the service tracks \"other\""}},
  };
  expect(cases);
}

}  // namespace
}  // namespace telltale::conf
