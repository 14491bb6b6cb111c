#include "conf/read.h"

namespace telltale::conf {
namespace {

void read_pool(ObjectReader& service, Pool& pool) {
  service.object("pool", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(service.context(), node, path, schema::pool);
    reader.read("max_idle", pool.max_idle);
    reader.read("max_idle_identities", pool.max_idle_identities);
    reader.read("idle_timeout", pool.idle_timeout);
  });
}

void read_endpoints_file(ObjectReader& service, std::string& file) {
  if (!service.read("endpoints_file", file) || file.starts_with('/')) return;
  service.error("endpoints_file", quote(file) + " is not an absolute path",
                "it is followed wherever the process runs: /etc/…");
}

}  // namespace

void read_service(Context& context, const YamlNode& node, const Path& path, Service& service, ServiceSource& source) {
  ObjectReader reader(context, node, path, schema::service);
  source.node = &node;
  reader.read("name", service.name);
  source.name = reader.value("name");
  reader.read("external_traffic_policy", service.external_traffic_policy);
  reader.read("internal_traffic_policy", service.internal_traffic_policy);
  reader.read("traffic_distribution", service.traffic_distribution);
  read_session_affinity(reader, service.session_affinity);
  read_balance(reader, service.balance);
  reader.read("port", service.port);
  read_nodes(reader, service.nodes);
  read_endpoints(reader, service.endpoints);
  read_endpoints_file(reader, service.endpoints_file);
  read_service_tls(reader, service.tls);
  reader.object("health", [&](const YamlNode& value, const Path& at) {
    read_health(context, value, at, service.tls ? &*service.tls : nullptr, service.health.emplace());
  });
  reader.object("node_health", [&](const YamlNode& value, const Path& at) {
    read_health(context, value, at, nullptr, service.node_health.emplace());
  });
  if (reader.read("health_check_node_port", service.health_check_node_port)) {
    source.health_check_node_port = reader.value("health_check_node_port");
  }
  read_ejection(reader, service.ejection);
  reader.read("slow_start", service.slow_start);
  reader.object("propagate",
                [&](const YamlNode& value, const Path& at) { read_propagate(context, value, at, service.propagate); });
  read_service_timeouts(reader, service.timeouts);
  read_retries(reader, service.retries);
  read_circuit_breakers(reader, service.circuit_breakers);
  read_pool(reader, service.pool);
  check_service(reader, service);
}

}  // namespace telltale::conf
