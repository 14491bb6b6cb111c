// Expands a service but for who serves (expand_endpoint.cc) and what they are told (expand_propagate.cc).
#include "conf/emitter.h"

namespace telltale::conf {
namespace {

void write_session_affinity(Emitter& out, const std::optional<SessionAffinity>& affinity) {
  if (!affinity) return out.word("session_affinity", "none");
  out.open("session_affinity");
  out.word("type", "client_ip");
  out.duration("timeout", affinity->timeout);
  out.number("max_clients", std::uint64_t{affinity->max_clients});
  out.close();
}

void write_balance(Emitter& out, const Balance& balance) {
  out.open("balance");
  out.choice("policy", balance.policy);
  if (balance.policy == BalancePolicy::maglev || balance.policy == BalancePolicy::ring_hash) {
    out.choice("hash_on", balance.hash_on);
    out.text_if_any("name", balance.hash_name);
    out.number("table_size", std::uint64_t{balance.table_size});
  }
  out.close();
}

void write_ejection(Emitter& out, const std::optional<Ejection>& ejection) {
  if (!ejection) return out.flag("ejection", false);
  out.open("ejection");
  out.number("failures", std::uint64_t{ejection->failures});
  out.statuses("statuses", ejection->statuses);
  out.duration("time", ejection->time);
  out.duration("max_time", ejection->max_time);
  out.number("max_share", std::uint64_t{ejection->max_share});
  out.close();
}

void write_circuit_breakers(Emitter& out, const CircuitBreakers& breakers) {
  out.open("circuit_breakers");
  out.number("max_connections", std::uint64_t{breakers.max_connections});
  // Without a limit nobody waits, and the file that says how long would be warned of.
  if (breakers.max_connections > 0) {
    out.number("max_pending", std::uint64_t{breakers.max_pending});
    out.duration("pending_timeout", breakers.pending_timeout);
  }
  out.number("max_requests", std::uint64_t{breakers.max_requests});
  out.number("max_retries", std::uint64_t{breakers.max_retries});
  out.close();
}

void write_service_tls(Emitter& out, const BackendTls& tls) {
  out.open("tls");
  write_verification(out, tls);
  if (tls.client_certificate) {
    out.open("client_certificate");
    out.text("certificate", tls.client_certificate->certificate);
    out.text("key", tls.client_certificate->key);
    out.close();
  }
  if (!tls.alpn.empty()) out.list("alpn", tls.alpn);
  out.close();
}

}  // namespace

void write_verification(Emitter& out, const BackendTls& tls) {
  out.text_if_any("sni", tls.sni);
  out.choice("verify", tls.verify);
  out.text_if_any("ca", tls.ca_file);
}

void write_service_timeouts(Emitter& out, const ServiceTimeouts& timeouts) {
  out.open("timeouts");
  out.duration("connect", timeouts.connect);
  out.duration("response", timeouts.response);
  out.duration("idle", timeouts.idle);
  out.duration("total", timeouts.total);
  out.close();
}

void write_retries(Emitter& out, const Retries& retries) {
  std::vector<std::string> on;
  if (retries.connect_failure) on.emplace_back("connect_failure");
  if (retries.reset) on.emplace_back("reset");
  if (retries.timeout) on.emplace_back("timeout");
  out.open("retries");
  out.number("attempts", std::uint64_t{retries.attempts});
  out.list("on", on);
  out.statuses("statuses", retries.statuses);
  out.duration("per_try_timeout", retries.per_try_timeout);
  out.number("budget", std::uint64_t{retries.budget});
  out.number("min_concurrent", std::uint64_t{retries.min_concurrent});
  out.close();
}

void write_service(Emitter& out, const Service& service) {
  out.item();
  out.text("name", service.name);
  out.choice("external_traffic_policy", service.external_traffic_policy);
  out.choice("internal_traffic_policy", service.internal_traffic_policy);
  out.choice("traffic_distribution", service.traffic_distribution);
  write_session_affinity(out, service.session_affinity);
  write_balance(out, service.balance);
  out.number("port", service.port);
  write_nodes(out, service.nodes);
  write_endpoints(out, service.endpoints);
  if (service.tls) write_service_tls(out, *service.tls);
  out.text_if_any("endpoints_file", service.endpoints_file);
  if (service.health) write_health(out, "health", *service.health);
  if (service.node_health) write_health(out, "node_health", *service.node_health);
  if (service.health_check_node_port) out.address("health_check_node_port", *service.health_check_node_port);
  write_ejection(out, service.ejection);
  out.duration("slow_start", service.slow_start);
  write_propagate(out, service.propagate);
  write_service_timeouts(out, service.timeouts);
  write_retries(out, service.retries);
  write_circuit_breakers(out, service.circuit_breakers);
  out.open("pool");
  out.number("max_idle", service.pool.max_idle);
  out.number("max_idle_identities", service.pool.max_idle_identities);
  out.duration("idle_timeout", service.pool.idle_timeout);
  out.close();
  out.close();
}

}  // namespace telltale::conf
