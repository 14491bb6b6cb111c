#include "conf/expand.h"
#include "tests/unit/conf/findings.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

using namespace test;
using namespace std::chrono_literals;

std::string with(std::string_view fields) { return with_service("endpoints: [10.0.0.1:80],\n" + std::string(fields)); }
std::string with_both(std::string_view route, std::string_view service) {
  return "listeners: [{listen: ':80', routes: [{service: web,\n" + std::string(route) +
         "}]}]\nservices:\n- {name: web, endpoints: [10.0.0.1:80],\n" + std::string(service) + "}\n";
}

TEST(Loader, ReportsResilience) {
  const Case cases[] = {
      {"short forms", with("retries: 3, ejection: true, slow_start: 30s"), {}},
      {"switched off", with("retries: 0, ejection: false"), {}},
      {"from the environment", with("retries: '${RETRIES:-2}'"), {}},
      {"with their defaults", with("retries: , ejection: , circuit_breakers: , timeouts: "), {}},
      {"everything may be tried again",
       with("retries: {attempts: 2, on: [connect_failure, reset, timeout], statuses: [502, 503-504], per_try_timeout: "
            "1s}"),
       {}},
      {"too many", with("retries: 4"), {"4:10: error: services[0].retries: \"4\" is not one of 0, 1, 2, 3, nor a map"}},
      {"too many, written out",
       with("retries: {attempts: 4, on: [refused], statuses: [99], budget: 101}"),
       {"4:21: error: services[0].retries.attempts: \"4\" is out of range",
        "4:29: error: services[0].retries.on[0]: \"refused\" is not one of connect_failure, reset, timeout",
        "4:50: error: services[0].retries.statuses[0]: \"99\" is out of range",
        "4:63: error: services[0].retries.budget: \"101\" is out of range"}},
      {"nothing is tried again",
       with("retries: {on: []}"),
       {"4:15: warning: services[0].retries: nothing is tried again: `on` and `statuses` are empty"}},
      {"only for statuses", with("retries: {on: [], statuses: [503]}"), {}},
      {"never within the budget",
       with("retries: {budget: 0, min_concurrent: 0, on: [connect_failure, reset]}"),
       {"4:19: warning: services[0].retries: nothing that was sent is tried again: `budget` and `min_concurrent` are "
        "0"}},
      {"failed connects need no budget", with("retries: {budget: 0, min_concurrent: 0}"), {}},
      {"no retries need no budget", with("retries: {attempts: 0, budget: 0, min_concurrent: 0, on: []}"), {}},
      {"a try that is longer than all",
       with("retries: {per_try_timeout: 20s}, timeouts: {response: 10s}"),
       {"4:28: warning: services[0].retries: `per_try_timeout` (20s) has no effect: it is longer than "
        "`timeouts.response` (10s)"}},
      {"longer than the default",
       with("retries: {per_try_timeout: 2m}"),
       {"4:28: warning: services[0].retries: `per_try_timeout` (2m) has no effect: it is longer than "
        "`timeouts.response` (1m)"}},
      {"as long", with("retries: {per_try_timeout: 1m}"), {}},
      {"a total that is shorter than its parts",
       with("timeouts: {connect: 4s, response: 3s, total: 2s}"),
       {"4:21: warning: services[0].timeouts: `connect` (4s) has no effect: it is longer than `total` (2s)",
        "4:35: warning: services[0].timeouts: `response` (3s) has no effect: it is longer than `total` (2s)"}},
      {"shorter than the defaults of its parts", with("timeouts: {total: 2s}"), {}},
      {"no total", with("timeouts: {connect: 4s, total: 0s}"), {}},
      {"timeouts that end nothing",
       with("timeouts: {connect: 0s, response: 25h, idle: 5}"),
       {"4:21: error: services[0].timeouts.connect: \"0s\" is out of range",
        "4:35: error: services[0].timeouts.response: \"25h\" is out of range",
        "4:46: error: services[0].timeouts.idle: \"5\" has no unit"}},
      {"who waits for what",
       with("circuit_breakers: {max_pending: 5, pending_timeout: 1s}"),
       {"4:33: warning: services[0].circuit_breakers.max_pending: has no effect: without `max_connections` no request "
        "waits",
        "4:53: warning: services[0].circuit_breakers.pending_timeout: has no effect: without `max_connections` no "
        "request waits"}},
      {"for connections", with("circuit_breakers: {max_connections: 9, max_pending: 5, max_requests: 7}"), {}},
      {"an ejection that shrinks",
       with("ejection: {time: 10m}"),
       {"4:18: error: services[0].ejection.time: `max_time` (5m) is shorter than `time` (10m)"}},
      {"written out",
       with("ejection: {time: 10s, max_time: 5s, max_share: 101, failures: 0}"),
       {"4:33: error: services[0].ejection.max_time: `max_time` (5s) is shorter than `time` (10s)",
        "4:48: error: services[0].ejection.max_share: \"101\" is out of range",
        "4:63: error: services[0].ejection.failures: \"0\" is out of range"}},
      {"ejection a word",
       with("ejection: yes"),
       {"4:11: error: services[0].ejection: \"yes\" is not one of true, false, nor a map"}},
  };
  expect(cases);
}

TEST(Loader, ReportsResilienceOfRoutes) {
  const Case cases[] = {
      {"its own", with_both("timeouts: {response: 2m}, retries: 0", "retries: 2"), {}},
      {"of a service that is not",
       "listeners: [{listen: ':80', routes: [{service: wep, timeouts: {total: 1s}, retries: 1}]}]\n",
       {"1:48: error: listeners[0].routes[0].service: there is no service \"wep\""}},
      {"of a redirect and an answer",
       with_route("{match: {path: /a}, redirect: {scheme: https}, timeouts: {}}, {match: {path: /b}, respond: {}, "
                  "retries: 1}, {service: web}, {match: {path: /o}, service: other}"),
       {"2:58: error: listeners[0].routes[0].timeouts: is only for a route to a service",
        "2:105: error: listeners[0].routes[1].retries: is only for a route to a service"}},
      {"its try is longer than the service's response",
       with_both("retries: {per_try_timeout: 20s}", "timeouts: {response: 10s}"),
       {"2:28: warning: listeners[0].routes[0].retries: `per_try_timeout` (20s) has no effect: it is longer than "
        "`timeouts.response` (10s)"}},
      {"its response is shorter than the service's try",
       with_both("timeouts: {response: 5s}", "retries: {per_try_timeout: 10s}"),
       {"1:38: warning: listeners[0].routes[0].retries: `per_try_timeout` (10s) has no effect: it is longer than "
        "`timeouts.response` (5s)"}},
      {"what is said of the service is not said again",
       with_both("timeouts: {idle: 5s}", "timeouts: {connect: 4s, total: 2s}"),
       {"5:21: warning: services[0].timeouts: `connect` (4s) has no effect: it is longer than `total` (2s)"}},
      {"its total is shorter than the service's connect",
       with_both("timeouts: {total: 2s}", "timeouts: {connect: 4s}"),
       {"2:11: warning: listeners[0].routes[0].timeouts: `connect` (4s) has no effect: it is longer than `total` "
        "(2s)"}},
  };
  expect(cases);
}

TEST(Route, TakesFromItsServiceWhatItLeavesOut) {
  const std::string service =
      "timeouts: {connect: 1s, response: 2s, idle: 3s, total: 4s}, retries: {attempts: 3, on: [reset], statuses: "
      "[503], "
      "per_try_timeout: 1s, budget: 7, min_concurrent: 8}";
  const auto route_with = [&](std::string_view fields) {
    const LoadResult result = load_text(with_both(fields, service));
    EXPECT_TRUE(result.model && result.diagnostics.empty()) << render(result, fields);
    return result.model ? result.model->listeners[0].routes[0] : Route();
  };
  const Route none = route_with("name: x");
  EXPECT_FALSE(none.timeouts);
  EXPECT_FALSE(none.retries);

  const Route one = route_with("timeouts: {idle: 9s}, retries: {budget: 70}");
  EXPECT_EQ(one.timeouts->connect, 1s);
  EXPECT_EQ(one.timeouts->response, 2s);
  EXPECT_EQ(one.timeouts->idle, 9s);
  EXPECT_EQ(one.timeouts->total, 4s);
  EXPECT_EQ(one.retries->attempts, 3u);
  EXPECT_TRUE(one.retries->reset && !one.retries->connect_failure && !one.retries->timeout);
  EXPECT_EQ(one.retries->statuses, (std::vector<StatusRange>{{503, 503}}));
  EXPECT_EQ(one.retries->per_try_timeout, 1s);
  EXPECT_EQ(one.retries->budget, 70u);
  EXPECT_EQ(one.retries->min_concurrent, 8u);

  const Route number = route_with("retries: 0");
  EXPECT_EQ(number.retries->attempts, 0u);
  EXPECT_TRUE(number.retries->reset);
  EXPECT_EQ(number.retries->budget, 7u);

  const Route all = route_with(
      "timeouts: {connect: 5s, response: 6s, total: 0s}, retries: {attempts: 1, on: [timeout], statuses: [], "
      "per_try_timeout: 0s, min_concurrent: 0}");
  EXPECT_EQ(all.timeouts->connect, 5s);
  EXPECT_EQ(all.timeouts->response, 6s);
  EXPECT_EQ(all.timeouts->total, 0s);
  EXPECT_EQ(all.retries->attempts, 1u);
  EXPECT_TRUE(all.retries->timeout && !all.retries->reset);
  EXPECT_TRUE(all.retries->statuses.empty());
  EXPECT_EQ(all.retries->per_try_timeout, 0s);
  EXPECT_EQ(all.retries->min_concurrent, 0u);
}

TEST(Expansion, SaysNothingMoreOfResilienceThanTheFile) {
  for (const auto& [route, service] :
       {std::pair("retries: 0", "timeouts: {total: 2s}"), std::pair("timeouts: {idle: 5s}", "timeouts: {total: 3s}"),
        std::pair("timeouts: {total: 3s}", "retries: {attempts: 0, budget: 0, min_concurrent: 0}"),
        std::pair("name: x", "circuit_breakers: {max_requests: 3}")}) {
    const LoadResult result = load_text(with_both(route, service));
    ASSERT_TRUE(result.model && result.diagnostics.empty()) << render(result, service);
    const std::string expanded = expand(*result.model);
    const LoadResult again = load_text(expanded);
    EXPECT_EQ(render(again, service), "");
    ASSERT_TRUE(again.model);
    EXPECT_EQ(expand(*again.model), expanded);
  }
}

}  // namespace
}  // namespace telltale::conf
