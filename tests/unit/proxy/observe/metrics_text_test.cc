#include "proxy/observe/metrics_text.h"

#include "tests/unit/proxy/observe/exposition.h"
#include "tests/unit/proxy/upstream/built.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;
using test::Exposition;

conf::Endpoint endpoint(std::string name, std::uint16_t port) {
  return {.address = {net::IpPort{net::IpAddress::v4(10, 0, 0, 1), port}, {}}, .name = std::move(name)};
}

/// `shop`: two nodes with a probe each; `api`: one endpoint without any.
std::vector<conf::Service> make_services() {
  conf::Service shop;
  shop.name = "shop";
  shop.external_traffic_policy = conf::TrafficPolicy::local;
  shop.port = 30080;
  shop.health.emplace();
  for (const char* host : {"10.0.0.11", "10.0.0.12"}) {
    conf::Node& node = shop.nodes.emplace_back();
    node.name = std::string("node-") + host;
    node.host = host;
    node.zone = "a";
  }
  conf::Service api;
  api.name = "api";
  api.endpoints.push_back(endpoint("one", 1));
  return {shop, api};
}

struct MetricsText : ::testing::Test {
  std::unique_ptr<test::Built> built = std::make_unique<test::Built>(make_services());
  WorkerMetrics first{2, 2}, second{2, 2};
  WorkerMetrics* workers[2] = {&first, &second};
  std::vector<std::string> listeners = {"web", "internal"};

  std::string text() const { return render_metrics(workers, listeners, built->services, source_loss, statuses); }
  std::vector<SourceLoss> source_loss = {SourceLoss::none, SourceLoss::few_addresses};
  std::vector<ServiceStatus> statuses = {
      {.selections = {{{SelectionReason::fit, 2}, {SelectionReason::no_local_endpoint, 0}}}, .ejections = 3},
      {.selections = {{{SelectionReason::no_endpoint, 0}, {SelectionReason::no_endpoint, 0}}}}};
};

TEST_F(MetricsText, IsWellFormedWithNothingCounted) {
  const Exposition exposition(text());
  EXPECT_EQ(exposition.value("telltale_build_info", {{"version", TELLTALE_VERSION}}), 1);
  EXPECT_EQ(exposition.value("telltale_requests_total", {{"service", "shop"}, {"code_class", "2xx"}}), 0);
}

TEST_F(MetricsText, IsWellFormedWithoutListenersServicesAndWorkers) {
  EXPECT_NO_THROW(Exposition(render_metrics({}, {}, {}, {})));
}

TEST_F(MetricsText, HasEveryFamilyWithItsType) {
  const struct {
    const char* name;
    const char* type;
  } rows[] = {
      {"telltale_build_info", "gauge"},
      {"telltale_listener_connections_total", "counter"},
      {"telltale_listener_connections_active", "gauge"},
      {"telltale_listener_connections_refused_total", "counter"},
      {"telltale_proxy_protocol_failures_total", "counter"},
      {"telltale_client_header_refusals_total", "counter"},
      {"telltale_tls_handshakes_total", "counter"},
      {"telltale_tls_resumed_total", "counter"},
      {"telltale_tls_failures_total", "counter"},
      {"telltale_bad_requests_total", "counter"},
      {"telltale_source_loss_suspected", "gauge"},
      {"telltale_client_assertions_total", "counter"},
      {"telltale_client_hellos_total", "counter"},
      {"telltale_requests_total", "counter"},
      {"telltale_request_duration_seconds", "histogram"},
      {"telltale_requests_active", "gauge"},
      {"telltale_upstream_connections_opened_total", "counter"},
      {"telltale_upstream_connections_reused_total", "counter"},
      {"telltale_upstream_connections_active", "gauge"},
      {"telltale_upstream_connections_idle", "gauge"},
      {"telltale_upstream_connect_failures_total", "counter"},
      {"telltale_upstream_tls_handshakes_total", "counter"},
      {"telltale_upstream_tls_resumed_total", "counter"},
      {"telltale_upstream_tls_failures_total", "counter"},
      {"telltale_retries_total", "counter"},
      {"telltale_no_endpoint_total", "counter"},
      {"telltale_node_state", "gauge"},
      {"telltale_requests_pending", "gauge"},
      {"telltale_retries_active", "gauge"},
      {"telltale_request_failures_total", "counter"},
      {"telltale_retries_refused_total", "counter"},
      {"telltale_circuit_breaker_in_use", "gauge"},
      {"telltale_endpoint_state", "gauge"},
      {"telltale_dns_lookups_total", "counter"},
      {"telltale_dns_names", "gauge"},
      {"telltale_endpoints_file_loads_total", "counter"},
      {"telltale_endpoints_files_not_in_force", "gauge"},
      {"telltale_service_selection", "gauge"},
      {"telltale_endpoints_eligible", "gauge"},
      {"telltale_ejections_total", "counter"},
      {"telltale_endpoints_ejected", "gauge"},
      {"telltale_access_log_dropped_total", "counter"},
  };
  const Exposition exposition(text());
  for (const auto& row : rows) EXPECT_EQ(exposition.type(row.name), row.type) << row.name;
  EXPECT_EQ(exposition.types().size(), std::size(rows));
}

TEST_F(MetricsText, SumsTheWorkers) {
  first.listeners[0]->connections_accepted.add(3);
  second.listeners[0]->connections_accepted.add(4);
  second.listeners[1]->bad_requests.add(2);
  first.services[0]->responses[2].add(10);
  second.services[0]->responses[2].add(5);
  second.services[1]->responses[0].add();
  first.local.responses[4].add(7);
  second.services[0]->retries.add(2);
  const Exposition exposition(text());
  EXPECT_EQ(exposition.value("telltale_listener_connections_total", {{"listener", "web"}}), 7);
  EXPECT_EQ(exposition.value("telltale_listener_connections_total", {{"listener", "internal"}}), 0);
  EXPECT_EQ(exposition.value("telltale_bad_requests_total", {{"listener", "internal"}}), 2);
  EXPECT_EQ(exposition.value("telltale_requests_total", {{"service", "shop"}, {"code_class", "2xx"}}), 15);
  EXPECT_EQ(exposition.value("telltale_requests_total", {{"service", "api"}, {"code_class", "none"}}), 1);
  EXPECT_EQ(exposition.value("telltale_requests_total", {{"service", ""}, {"code_class", "4xx"}}), 7);
  EXPECT_EQ(exposition.value("telltale_retries_total", {{"service", "shop"}}), 2);
}

TEST_F(MetricsText, LostLogLinesAreCounted) {
  first.access_log_dropped.set(4);
  first.access_log_dropped.set(5);
  second.access_log_dropped.set(1);
  EXPECT_EQ(Exposition(text()).value("telltale_access_log_dropped_total", {}), 6);
}

TEST_F(MetricsText, LocalRepliesHaveNoUpstreamSeries) {
  const Exposition exposition(text());
  EXPECT_FALSE(exposition.value("telltale_upstream_connections_opened_total", {{"service", ""}}));
  EXPECT_TRUE(exposition.value("telltale_requests_active", {{"service", ""}}));
}

TEST_F(MetricsText, GaugeThatOneWorkerRaisedAndAnotherLoweredIsTheirSum) {
  first.services[0]->connections_idle.add(2);
  second.services[0]->connections_idle.sub(1);
  second.services[1]->connections_idle.sub(1);
  const Exposition exposition(text());
  EXPECT_EQ(exposition.value("telltale_upstream_connections_idle", {{"service", "shop"}}), 1);
  EXPECT_EQ(exposition.value("telltale_upstream_connections_idle", {{"service", "api"}}), 0) << "not 2^64 - 1";
}

TEST_F(MetricsText, DurationsAreCumulativeBuckets) {
  first.services[0]->request_duration.observe(1ms);
  second.services[0]->request_duration.observe(2ms);
  second.services[0]->request_duration.observe(2min);
  const Exposition exposition(text());
  const auto bucket = [&](const char* le) {
    return exposition.value("telltale_request_duration_seconds_bucket", {{"service", "shop"}, {"le", le}});
  };
  EXPECT_EQ(bucket("0.0005"), 0);
  EXPECT_EQ(bucket("0.001"), 1);
  EXPECT_EQ(bucket("0.0025"), 2);
  EXPECT_EQ(bucket("60"), 2);
  EXPECT_EQ(bucket("+Inf"), 3);
  EXPECT_NEAR(*exposition.value("telltale_request_duration_seconds_sum", {{"service", "shop"}}), 120.003, 1e-9);
}

TEST_F(MetricsText, ProxyFailuresAreByListenerAndCause) {
  first.listeners[0]->proxy_failures[static_cast<std::size_t>(ProxyFailure::plain_http)].add(2);
  second.listeners[0]->proxy_failures[static_cast<std::size_t>(ProxyFailure::plain_http)].add(1);
  const Exposition exposition(text());
  EXPECT_EQ(exposition.value("telltale_proxy_protocol_failures_total", {{"listener", "web"}, {"cause", "plain_http"}}),
            3);
  EXPECT_FALSE(exposition.value("telltale_proxy_protocol_failures_total", {{"listener", "web"}, {"cause", "none"}}));
}

TEST_F(MetricsText, MalformedProxyHeadersAreByWhatIsWrongWithThem) {
  using proxy_protocol::Error;
  first.listeners[0]->count(ProxyFailure::malformed, Error::v2_bad_crc32c);
  second.listeners[0]->count(ProxyFailure::malformed, Error::v2_bad_crc32c);
  second.listeners[0]->count(ProxyFailure::malformed, Error::v1_malformed);
  second.listeners[0]->count(ProxyFailure::cut_short, {});
  const Exposition exposition(text());
  const auto value = [&](const char* error) {
    return exposition.value("telltale_proxy_protocol_failures_total",
                            {{"listener", "web"}, {"cause", "malformed"}, {"error", error}});
  };
  EXPECT_EQ(value("v2_bad_crc32c"), 2);
  EXPECT_EQ(value("v1_malformed"), 1);
  EXPECT_EQ(value("v2_bad_tlv"), 0);
  EXPECT_EQ(exposition.value("telltale_proxy_protocol_failures_total", {{"listener", "web"}, {"cause", "cut_short"}}),
            1);
}

TEST_F(MetricsText, SourceLossIsByListenerAndReason) {
  const Exposition exposition(text());
  const auto value = [&](const std::string& listener, const char* reason) {
    return exposition.value("telltale_source_loss_suspected", {{"listener", listener}, {"reason", reason}});
  };
  for (const char* reason : {"infrastructure", "few_addresses"}) EXPECT_EQ(value(listeners[0], reason), 0) << reason;
  EXPECT_EQ(value(listeners[1], "infrastructure"), 0);
  EXPECT_EQ(value(listeners[1], "few_addresses"), 1);
}

TEST_F(MetricsText, EndpointIsInExactlyOneState) {
  built->set().nodes[1]->verdict->set(HealthState::draining, "503", std::chrono::system_clock::now());
  const Exposition exposition(text());
  const std::string name = built->set(0).endpoints[1]->name;
  for (const char* state : {"unknown", "healthy", "draining", "unhealthy"}) {
    EXPECT_EQ(exposition.value("telltale_endpoint_state",
                               {{"service", "shop"}, {"node", "node-10.0.0.12"}, {"endpoint", name}, {"state", state}}),
              std::string(state) == "draining" ? 1 : 0)
        << state;
  }
  EXPECT_EQ(exposition.value("telltale_endpoint_state",
                             {{"service", "api"}, {"node", ""}, {"endpoint", "one"}, {"state", "healthy"}}),
            1);
}

TEST_F(MetricsText, NodeIsInTheStateThatItsProbeFound) {
  built->set().nodes[1]->verdict->set(HealthState::draining, "503", std::chrono::system_clock::now());
  const Exposition exposition(text());
  const auto value = [&](const char* node, const char* state) {
    return exposition.value("telltale_node_state", {{"service", "shop"}, {"node", node}, {"state", state}});
  };
  EXPECT_EQ(value("node-10.0.0.11", "unknown"), 1);
  EXPECT_EQ(value("node-10.0.0.12", "draining"), 1);
  EXPECT_EQ(value("node-10.0.0.12", "unhealthy"), 0);
  EXPECT_EQ(exposition.series_count("telltale_node_state"), 8u);
}

TEST_F(MetricsText, ANodeAndWhatServesThereAreTwoTargets) {
  auto services = make_services();
  services[0].node_health.emplace().port = 10256;
  built = std::make_unique<test::Built>(services);
  built->set().nodes[0]->verdict->set(HealthState::draining, "answered 503", std::chrono::system_clock::now());
  built->set().endpoints[0]->verdict->set(HealthState::healthy, "answered 200", std::chrono::system_clock::now());
  const Exposition exposition(text());
  EXPECT_EQ(
      exposition.value("telltale_node_state", {{"service", "shop"}, {"node", "node-10.0.0.11"}, {"state", "draining"}}),
      1);
  EXPECT_EQ(exposition.value("telltale_endpoint_state", {{"service", "shop"},
                                                         {"node", "node-10.0.0.11"},
                                                         {"endpoint", built->set().endpoints[0]->name},
                                                         {"state", "draining"}}),
            1);
  const auto shop = boost::json::parse(render_services(built->services)).at(0);
  EXPECT_EQ(shop.at("nodes").at(0).at("health").at("reason").as_string(), "answered 503");
  EXPECT_EQ(shop.at("endpoints").at(0).at("health").at("state").as_string(), "healthy");
  EXPECT_EQ(shop.at("endpoints").at(0).at("state").as_string(), "draining");
  EXPECT_EQ(shop.at("endpoints").at(0).at("reason").as_string(), "its node: answered 503");
}

TEST_F(MetricsText, SelectionHasOneReasonForEachTraffic) {
  const Exposition exposition(text());
  const auto value = [&](const char* service, const char* traffic, const char* reason) {
    return exposition.value("telltale_service_selection",
                            {{"service", service}, {"traffic", traffic}, {"reason", reason}});
  };
  EXPECT_EQ(value("shop", "external", "fit"), 1);
  EXPECT_EQ(value("shop", "external", "no_local_endpoint"), 0);
  EXPECT_EQ(value("shop", "internal", "no_local_endpoint"), 1);
  EXPECT_EQ(value("api", "internal", "no_endpoint"), 1);
  EXPECT_EQ(exposition.series_count("telltale_service_selection"), 2u * 2 * 5);
  EXPECT_EQ(exposition.value("telltale_endpoints_eligible", {{"service", "shop"}, {"traffic", "external"}}), 2);
  EXPECT_EQ(exposition.value("telltale_endpoints_eligible", {{"service", "shop"}, {"traffic", "internal"}}), 0);
}

TEST_F(MetricsText, EjectionsAreCountedAndWhoIsOut) {
  built->set(0).endpoints[1]->passive->ejected = true;
  const Exposition exposition(text());
  EXPECT_EQ(exposition.value("telltale_ejections_total", {{"service", "shop"}}), 3);
  EXPECT_EQ(exposition.value("telltale_ejections_total", {{"service", "api"}}), 0);
  EXPECT_EQ(exposition.value("telltale_endpoints_ejected", {{"service", "shop"}}), 1);
  EXPECT_EQ(exposition.value("telltale_endpoints_ejected", {{"service", "api"}}), 0);
}

TEST_F(MetricsText, NamesAreEscapedInLabels) {
  listeners[0] = "a\"b\\c\nd\xff";
  const Exposition exposition(text());
  EXPECT_EQ(exposition.value("telltale_bad_requests_total", {{"listener", "a\"b\\c\nd\xef\xbf\xbd"}}), 0);
}

TEST_F(MetricsText, CountsFailuresByReasonAndRefusedRetries) {
  first.services[0]->failures[static_cast<std::size_t>(Reason::max_requests)].add(2);
  second.services[0]->failures[static_cast<std::size_t>(Reason::max_requests)].add();
  first.local.failures[static_cast<std::size_t>(Reason::no_route)].add(4);
  second.services[1]->retries_refused[static_cast<std::size_t>(RetryRefusal::budget)].add(5);
  const Exposition exposition(text());
  const char* const failures = "telltale_request_failures_total";
  EXPECT_EQ(exposition.value(failures, {{"service", "shop"}, {"reason", "max_requests"}}), 3);
  EXPECT_EQ(exposition.value(failures, {{"service", ""}, {"reason", "no_route"}}), 4);
  EXPECT_EQ(exposition.value(failures, {{"service", "api"}, {"reason", "internal"}}), 0);
  EXPECT_EQ(exposition.value("telltale_retries_refused_total", {{"service", "api"}, {"reason", "budget"}}), 5);
}

TEST_F(MetricsText, TellsWhatIsInUseOfConfiguredLimits) {
  conf::Service limited;
  limited.name = "limited";
  limited.circuit_breakers.max_connections = 10;
  limited.circuit_breakers.max_retries = 2;
  built = std::make_unique<test::Built>(std::vector{limited});
  CircuitBreaker& breaker = built->services[0]->breaker();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(breaker.connections.take(10));
  EXPECT_TRUE(breaker.pending.take(1024));
  const Exposition exposition(text());
  const char* const in_use = "telltale_circuit_breaker_in_use";
  EXPECT_EQ(exposition.value(in_use, {{"service", "limited"}, {"limit", "max_connections"}}), 3);
  EXPECT_EQ(exposition.value(in_use, {{"service", "limited"}, {"limit", "max_pending"}}), 1);
  EXPECT_EQ(exposition.value(in_use, {{"service", "limited"}, {"limit", "max_retries"}}), 0);
  EXPECT_EQ(exposition.series_count(in_use), 3u) << "max_requests is not limited";
}

TEST_F(MetricsText, EndpointsOfOneNameMakeOneSeries) {
  conf::Service twice;
  twice.name = "twice";
  twice.endpoints = {endpoint("same", 1), endpoint("same", 2)};
  built = std::make_unique<test::Built>(std::vector{twice});
  EXPECT_EQ(Exposition(text()).series_count("telltale_endpoint_state"), 4u);
}

TEST_F(MetricsText, WorkerOfAnotherSnapshotIsReadAsFarAsItGoes) {
  WorkerMetrics smaller{1, 1};
  smaller.services[0]->retries.add(3);
  workers[1] = &smaller;
  const Exposition exposition(text());
  EXPECT_EQ(exposition.value("telltale_retries_total", {{"service", "shop"}}), 3);
  EXPECT_EQ(exposition.value("telltale_retries_total", {{"service", "api"}}), 0);
}

TEST_F(MetricsText, SaysHowNamesAndFilesFare) {
  DiscoveryCounts counts{.files_loaded = 3, .files_refused = 2, .files_not_in_force = 1};
  counts.lookups[static_cast<std::size_t>(LookupOutcome::timed_out)] = 7;
  counts.names[static_cast<std::size_t>(NameState::stale)] = 4;
  const Exposition exposition(render_metrics(workers, listeners, built->services, source_loss, {}, counts));
  EXPECT_EQ(exposition.value("telltale_dns_lookups_total", {{"result", "timed_out"}}), 7);
  EXPECT_EQ(exposition.value("telltale_dns_lookups_total", {{"result", "answered"}}), 0);
  EXPECT_EQ(exposition.value("telltale_dns_names", {{"state", "stale"}}), 4);
  EXPECT_EQ(exposition.value("telltale_endpoints_file_loads_total", {{"result", "loaded"}}), 3);
  EXPECT_EQ(exposition.value("telltale_endpoints_file_loads_total", {{"result", "refused"}}), 2);
  EXPECT_EQ(exposition.value("telltale_endpoints_files_not_in_force", {}), 1);
}

TEST_F(MetricsText, ServicesTellHowTheirEndpointsAreFound) {
  const auto when = std::chrono::system_clock::time_point(1767225599999ms);
  auto& discovery = statuses[0].discovery.emplace();
  discovery.names = {{.name = {conf::DnsName::Kind::address, "shop.test", 80}},
                     {.name = {conf::DnsName::Kind::srv, "_http._tcp.test", 0},
                      .state = NameState::stale,
                      .addresses = {"10.0.0.1:80 priority 1 weight 2"},
                      .error = "SRV: timed out",
                      .answered = when,
                      .ttl = 1500ms,
                      .since = when,
                      .next = when}};
  discovery.file = FileStatus{.path = "/etc/shop.json", .nodes = 1, .endpoints = 2, .loaded = when, .problems = "cut"};
  const auto value = boost::json::parse(render_services(built->services, statuses));
  EXPECT_TRUE(value.at(1).at("discovery").is_null());
  const auto& names = value.at(0).at("discovery").at("names");
  EXPECT_EQ(boost::json::serialize(names.at(0)),
            R"({"name":"shop.test","kind":"address","state":"waiting","since":null,"addresses":[],"answered":null,)"
            R"("ttl_seconds":null,"next":null,"error":null})");
  EXPECT_EQ(boost::json::serialize(names.at(1)),
            R"({"name":"_http._tcp.test","kind":"srv","state":"stale","since":"2025-12-31T23:59:59.999Z",)"
            R"("addresses":["10.0.0.1:80 priority 1 weight 2"],"answered":"2025-12-31T23:59:59.999Z",)"
            R"("ttl_seconds":1.5E0,"next":"2025-12-31T23:59:59.999Z","error":"SRV: timed out"})");
  EXPECT_EQ(
      boost::json::serialize(value.at(0).at("discovery").at("file")),
      R"({"path":"/etc/shop.json","loaded":"2025-12-31T23:59:59.999Z","nodes":1,"endpoints":2,"problems":"cut"})");
}

TEST_F(MetricsText, ServicesTellNodesEndpointsAndHealthWithReasonAndTime) {
  const auto since = std::chrono::system_clock::time_point(1767225599999ms);
  built->set().nodes[0]->verdict->set(HealthState::unhealthy, "refused \"\xff\"\n", since);
  built->set().nodes[1]->verdict->set_weight(3);
  const auto value = boost::json::parse(render_services(built->services));
  const auto& shop = value.at(0);
  EXPECT_EQ(shop.at("name").as_string(), "shop");
  EXPECT_EQ(shop.at("external_traffic_policy").as_string(), "local");
  const auto& node = shop.at("nodes").at(0);
  EXPECT_EQ(node.at("address").as_string(), "10.0.0.11");
  EXPECT_EQ(node.at("zone").as_string(), "a");
  EXPECT_EQ(node.at("health").at("state").as_string(), "unhealthy");
  EXPECT_EQ(node.at("health").at("reason").as_string(), "refused \"\xef\xbf\xbd\"\n");
  EXPECT_EQ(node.at("health").at("since").as_string(), "2025-12-31T23:59:59.999Z");
  EXPECT_EQ(shop.at("endpoints").at(0).at("state").as_string(), "unhealthy");
  EXPECT_EQ(shop.at("endpoints").at(0).at("node").as_string(), "node-10.0.0.11");
  const auto& unprobed = shop.at("nodes").at(1).at("health");
  EXPECT_EQ(unprobed.at("state").as_string(), "unknown");
  EXPECT_TRUE(unprobed.at("since").is_null());
  EXPECT_EQ(unprobed.at("weight").to_number<int>(), 3);
  const auto& api = value.at(1);
  EXPECT_EQ(api.at("nodes").as_array().size(), 0u);
  EXPECT_EQ(api.at("endpoints").at(0).at("state").as_string(), "healthy");
  EXPECT_TRUE(api.at("endpoints").at(0).at("health").is_null());
  EXPECT_TRUE(api.at("endpoints").at(0).at("node").is_null());
  EXPECT_EQ(api.at("endpoints").at(0).at("address").as_string(), "10.0.0.1:1");
}

TEST_F(MetricsText, ServicesTellWhoMayBeChosenAndWhoIsOut) {
  PassiveHealth& passive = *built->set(0).endpoints[0]->passive;
  passive.ejected = true;
  passive.reason = "5 failures in a row, the last: refused";
  passive.since = std::chrono::system_clock::time_point(1767225599999ms);
  passive.until = passive.since + 10s;
  passive.times = 2;
  const auto value = boost::json::parse(render_services(built->services, statuses));
  const auto& shop = value.at(0);
  EXPECT_EQ(shop.at("selection").at("external").at("reason").as_string(), "fit");
  EXPECT_EQ(shop.at("selection").at("external").at("eligible").to_number<int>(), 2);
  EXPECT_EQ(shop.at("selection").at("internal").at("reason").as_string(), "no_local_endpoint");
  EXPECT_EQ(shop.at("ejections").to_number<int>(), 3);
  const auto& endpoint = shop.at("endpoints").at(0);
  EXPECT_EQ(endpoint.at("state").as_string(), "unhealthy");
  EXPECT_EQ(endpoint.at("reason").as_string(), "ejected: 5 failures in a row, the last: refused");
  EXPECT_EQ(endpoint.at("since").as_string(), "2025-12-31T23:59:59.999Z");
  EXPECT_EQ(endpoint.at("ejected").at("reason").as_string(), "5 failures in a row, the last: refused");
  EXPECT_EQ(endpoint.at("ejected").at("since").as_string(), "2025-12-31T23:59:59.999Z");
  EXPECT_EQ(endpoint.at("ejected").at("until").as_string(), "2026-01-01T00:00:09.999Z");
  EXPECT_EQ(endpoint.at("ejected").at("times").to_number<int>(), 2);
  EXPECT_TRUE(shop.at("endpoints").at(1).at("ejected").is_null());
  EXPECT_TRUE(value.at(1).at("endpoints").at(0).at("since").is_null());
  EXPECT_TRUE(value.at(1).at("endpoints").at(0).at("serving").as_bool());
}

}  // namespace
}  // namespace telltale::proxy
