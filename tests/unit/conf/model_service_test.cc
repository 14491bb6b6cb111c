#include "conf/model_service.h"

#include "tests/unit/conf/examples.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

using namespace std::chrono_literals;
using forwarding::ListMode;

TEST(Model, TakesEveryServiceField) {
  const LoadResult result = load_example("full.yaml");
  ASSERT_TRUE(result.model);
  const Service& shop = result.model->services[0];
  EXPECT_EQ(shop.external_traffic_policy, TrafficPolicy::local);
  EXPECT_EQ(shop.port, 30080);
  ASSERT_EQ(shop.nodes.size(), 3u);
  EXPECT_EQ(shop.nodes[0].name, "node-a");
  EXPECT_EQ(shop.nodes[0].host, "10.1.0.11");
  EXPECT_EQ(shop.nodes[0].zone, "a");
  EXPECT_EQ(shop.nodes[0].weight, 2u);
  EXPECT_EQ(shop.nodes[0].health_port, 32123);
  EXPECT_EQ(shop.nodes[1].port, 30081);
  EXPECT_EQ(shop.nodes[2].endpoints[0].address.to_string(), "[2001:db8:1::14]:8080");
  EXPECT_EQ(shop.nodes[2].endpoints[1].name, "pod-2");
  EXPECT_EQ(shop.nodes[2].endpoints[1].weight, 3u);
  const Health& health = *shop.health;
  EXPECT_EQ(health.kind, ProbeKind::http);
  EXPECT_EQ(health.path, "/healthz");
  EXPECT_EQ(health.port, 32122);
  EXPECT_EQ(health.host, "shop.internal");
  EXPECT_EQ(health.interval, 2s);
  EXPECT_EQ(health.timeout, 500ms);
  EXPECT_EQ(health.rise, 2u);
  EXPECT_EQ(health.fall, 4u);
  EXPECT_EQ(health.fall_draining, 2u);
  EXPECT_TRUE(health.strict);
  EXPECT_TRUE(health.weight_from_probe);
  EXPECT_EQ(health.send_proxy, ProxyOnProbe::off);
  const forwarding::Propagate& propagate = shop.propagate;
  EXPECT_EQ(propagate.x_forwarded_for, ListMode::replace);
  EXPECT_EQ(propagate.forwarded.mode, ListMode::append);
  EXPECT_TRUE(propagate.forwarded.write_for && propagate.forwarded.write_by);
  EXPECT_TRUE(propagate.forwarded.write_host && propagate.forwarded.write_proto);
  EXPECT_TRUE(propagate.forwarded.ports);
  EXPECT_TRUE(propagate.x_forwarded_proto && propagate.x_forwarded_host && propagate.x_forwarded_port);
  EXPECT_TRUE(propagate.x_real_ip);
  EXPECT_FALSE(propagate.via);
  EXPECT_FALSE(propagate.transparent_source);
  ASSERT_TRUE(propagate.assertion);
  EXPECT_EQ(propagate.assertion->key_file, "/etc/telltale/assertion.keys");
  EXPECT_TRUE(propagate.assertion->header);
  EXPECT_EQ(propagate.assertion->tlv, 0xe4);
  EXPECT_TRUE(propagate.proxy_protocol);
  EXPECT_EQ(propagate.proxy_version, proxy_protocol::Version::v2);
  using enum proxy_protocol::TlvType;
  EXPECT_EQ(propagate.tlvs, (std::vector{authority, alpn, unique_id, crc32c, ssl, netns}));
  EXPECT_EQ(propagate.pass_tlvs, (std::vector{proxy_protocol::parse_tlv_selector("aws_vpce_id").value(),
                                              proxy_protocol::parse_tlv_selector("0xE3").value()}));
  EXPECT_EQ(propagate.tlv_padding, 16u);
  EXPECT_EQ(shop.timeouts.connect, 1s);
  EXPECT_EQ(shop.timeouts.response, 20s);
  EXPECT_EQ(shop.timeouts.idle, 30s);
  EXPECT_EQ(shop.timeouts.total, 120s);
  EXPECT_EQ(shop.pool.max_idle, 32u);
  EXPECT_EQ(shop.pool.max_idle_identities, 128u);
  EXPECT_EQ(shop.pool.idle_timeout, 20s);

  const Service& statics = result.model->services[1];
  EXPECT_EQ(statics.endpoints[1].address.unix_path, "/run/static.sock");
  EXPECT_EQ(statics.endpoints[1].weight, 5u);
  EXPECT_EQ(statics.health->kind, ProbeKind::tcp);
  EXPECT_EQ(statics.health->send_proxy, ProxyOnProbe::v1);
  EXPECT_EQ(statics.propagate.forwarded.mode, ListMode::remove);
}

TEST(Model, TakesEveryFieldOfChoice) {
  const LoadResult result = load_example("full.yaml");
  ASSERT_TRUE(result.model);
  const Service& shop = result.model->services[0];
  EXPECT_EQ(shop.internal_traffic_policy, TrafficPolicy::cluster);
  EXPECT_EQ(shop.traffic_distribution, TrafficDistribution::prefer_same_zone);
  ASSERT_TRUE(shop.session_affinity);
  EXPECT_EQ(shop.session_affinity->timeout, 1h);
  EXPECT_EQ(shop.session_affinity->max_clients, 10'000u);
  EXPECT_EQ(shop.balance.policy, BalancePolicy::least_request);
  EXPECT_EQ(shop.slow_start, 30s);
  EXPECT_EQ(shop.health_check_node_port->to_string(), "[::]:32122");
  const Endpoint& pod = shop.nodes[2].endpoints[1];
  EXPECT_EQ(pod.priority, 1u);
  EXPECT_EQ(pod.zone, "c");
  EXPECT_EQ(pod.for_zones, (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(pod.for_nodes, std::vector<std::string>{"node-c"});
  EXPECT_TRUE(pod.serving && pod.terminating);
  const Endpoint& plain = shop.nodes[2].endpoints[0];
  EXPECT_TRUE(plain.serving && !plain.terminating && plain.for_zones.empty() && plain.zone.empty());

  const Service& search = result.model->services[2];
  EXPECT_EQ(search.balance.policy, BalancePolicy::maglev);
  EXPECT_EQ(search.balance.hash_on, HashOn::header);
  EXPECT_EQ(search.balance.hash_name, "X-User");
  EXPECT_EQ(search.balance.table_size, 131'071u);
  EXPECT_EQ(search.endpoints_file, "/etc/telltale/endpoints.json");
  EXPECT_EQ(search.nodes[0].host, "search-host.internal");
  EXPECT_EQ(*search.endpoints[0].dns, (DnsName{DnsName::Kind::address, "search.internal", 8443}));
  EXPECT_EQ(search.endpoints[0].name, "search.internal:8443");
  EXPECT_FALSE(search.endpoints[0].address.ip);
  EXPECT_EQ(*search.endpoints[1].dns, (DnsName{DnsName::Kind::srv, "_https._tcp.search.internal", 0}));
  EXPECT_EQ(search.endpoints[1].name, "search-srv");
  EXPECT_EQ(search.endpoints[1].priority, 2u);

  const Service& mail = result.model->services[3];
  EXPECT_EQ(mail.balance.policy, BalancePolicy::ring_hash);
  EXPECT_EQ(mail.session_affinity->timeout, 3h);
  EXPECT_EQ(mail.session_affinity->max_clients, 65'536u);
}

TEST(Model, TakesEveryFieldOfProbes) {
  const LoadResult result = load_example("full.yaml");
  ASSERT_TRUE(result.model);
  EXPECT_EQ(result.model->services[0].health->fast_interval, 250ms);
  const Health& search = *result.model->services[2].health;
  EXPECT_EQ(search.kind, ProbeKind::https);
  EXPECT_EQ(search.path, "/ready");
  EXPECT_EQ(search.host, "search.example.com");
  EXPECT_EQ(search.headers, (std::vector<std::pair<std::string, std::string>>{{"User-Agent", "telltale"},
                                                                              {"Authorization", "Bearer none"}}));
  EXPECT_EQ(search.expect_statuses, (std::vector<StatusRange>{{200, 200}, {204, 299}}));
  EXPECT_EQ(search.expect_body, "\"ready\": *true");
  EXPECT_EQ(search.tls.sni, "search.internal");
  EXPECT_EQ(search.tls.verify, TlsVerify::ca);
  EXPECT_EQ(search.tls.ca_file, "/etc/telltale/ca.pem");
  EXPECT_EQ(search.fast_interval, 1s);
  const Health& nodes = *result.model->services[2].node_health;
  EXPECT_EQ(nodes.kind, ProbeKind::http);
  EXPECT_EQ(nodes.port, 10256);
  EXPECT_EQ(nodes.fall, 2u);
  EXPECT_TRUE(nodes.weight_from_probe);
  EXPECT_FALSE(result.model->services[0].node_health);
  const Health& mail = *result.model->services[3].health;
  EXPECT_EQ(mail.kind, ProbeKind::grpc);
  EXPECT_EQ(mail.grpc_service, "mail.v1.Mail");
  EXPECT_EQ(mail.host, "mail.internal");
  const Health& admin = *result.model->services[4].health;
  EXPECT_EQ(admin.kind, ProbeKind::track);
  EXPECT_EQ(admin.track, "shop");
}

TEST(Model, TakesEveryFieldOfResilience) {
  const LoadResult result = load_example("full.yaml");
  ASSERT_TRUE(result.model);
  const Service& shop = result.model->services[0];
  ASSERT_TRUE(shop.ejection);
  EXPECT_EQ(shop.ejection->failures, 3u);
  EXPECT_EQ(shop.ejection->statuses, (std::vector<StatusRange>{{500, 502}, {504, 504}}));
  EXPECT_EQ(shop.ejection->time, 5s);
  EXPECT_EQ(shop.ejection->max_time, 60s);
  EXPECT_EQ(shop.ejection->max_share, 30u);
  const Retries& retries = shop.retries;
  EXPECT_EQ(retries.attempts, 3u);
  EXPECT_TRUE(retries.connect_failure && retries.reset && retries.timeout);
  EXPECT_EQ(retries.statuses, (std::vector<StatusRange>{{502, 502}, {503, 504}}));
  EXPECT_EQ(retries.per_try_timeout, 5s);
  EXPECT_EQ(retries.budget, 10u);
  EXPECT_EQ(retries.min_concurrent, 5u);
  const CircuitBreakers& breakers = shop.circuit_breakers;
  EXPECT_EQ(breakers.max_connections, 1000u);
  EXPECT_EQ(breakers.max_pending, 200u);
  EXPECT_EQ(breakers.pending_timeout, 1s);
  EXPECT_EQ(breakers.max_requests, 5000u);
  EXPECT_EQ(breakers.max_retries, 50u);
  EXPECT_EQ(result.model->services[1].retries.attempts, 0u);
  EXPECT_FALSE(result.model->services[1].ejection);
  ASSERT_TRUE(result.model->services[2].ejection);
  EXPECT_EQ(result.model->services[2].ejection->failures, 5u);
}

}  // namespace
}  // namespace telltale::conf
