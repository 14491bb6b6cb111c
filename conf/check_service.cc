#include "conf/read.h"
#include "conf/text.h"

#include <algorithm>
#include <unordered_set>

namespace telltale::conf {
namespace {

/// Reports about `services[2].nodes[1]` and the like.
class Items {
 public:
  Items(ObjectReader& reader, std::string_view list)
      : reader_(reader), list_path_(reader.path(), list), node_(reader.value(list)) {}
  void error(std::size_t i, std::string message, std::string hint = {}) const {
    reader_.context().diagnostics.error(*node_->items[i], Path(list_path_, i), std::move(message), std::move(hint));
  }
  void warning(std::size_t i, std::string message, std::string hint = {}) const {
    reader_.context().diagnostics.warning(*node_->items[i], Path(list_path_, i), std::move(message), std::move(hint));
  }

 private:
  ObjectReader& reader_;
  Path list_path_;
  const YamlNode* node_;
};

/// What it is listed by; empty: that was wrong.
std::string key_of(const Endpoint& endpoint) {
  if (endpoint.dns && endpoint.dns->kind == DnsName::Kind::srv) return endpoint.dns->name;
  if (endpoint.dns) return Backend{{}, endpoint.dns}.to_string();
  return endpoint.address.ip || !endpoint.address.unix_path.empty() ? endpoint.address.to_string() : "";
}

/// nullopt: there is none, or records say it.
std::optional<std::uint16_t> port_of(const Endpoint& endpoint) {
  if (endpoint.address.ip) return endpoint.address.ip->port;
  return endpoint.dns && endpoint.dns->kind == DnsName::Kind::address ? std::optional(endpoint.dns->port)
                                                                      : std::nullopt;
}

bool has_weight(const Service& service) {
  const auto weighs = [](const Endpoint& endpoint) { return endpoint.weight > 0; };
  for (const Node& node : service.nodes) {
    if (node.weight > 0 && (node.endpoints.empty() || std::ranges::any_of(node.endpoints, weighs))) return true;
  }
  return std::ranges::any_of(service.endpoints, weighs);
}

using Port = std::optional<std::uint16_t>;

/// Whether one of them does not serve at `probed`, if that is given.
bool serve_elsewhere(const std::vector<Endpoint>& endpoints, const Port& probed) {
  return probed && std::ranges::any_of(endpoints, [&](const Endpoint& endpoint) {
           const auto port = port_of(endpoint);
           return port && port != probed;
         });
}
bool serves_elsewhere(const Node& node, const Service& service, const Port& probed) {
  if (!node.endpoints.empty()) return serve_elsewhere(node.endpoints, probed);
  return probed && probed != (node.port ? node.port : service.port);
}

/// Whether any probe of `health` goes to a port that its target does not serve at.
bool probes_another_port(const Service& service) {
  const Port& port = service.health->port;
  return serve_elsewhere(service.endpoints, port) || std::ranges::any_of(service.nodes, [&](const Node& node) {
           return serves_elsewhere(node, service, node.health_port && !service.node_health ? node.health_port : port);
         });
}

void warn_of_proxy(ObjectReader& reader, std::string_view field) {
  reader.warning(field,
                 "`send_proxy` to a port that is not the serving port: kube-proxy's health port does not speak it",
                 "remove send_proxy, or the port");
}

void check_node_probe(ObjectReader& reader, const Service& service) {
  if (!service.node_health) return;
  const Health& health = *service.node_health;
  if (service.nodes.empty() && !reader.has("nodes") && service.endpoints_file.empty()) {
    reader.warning("node_health", "has no effect: the service has no `nodes`",
                   "`health` is the probe of its endpoints");
  }
  const auto differs = [&](const Node& node) {
    return serves_elsewhere(node, service, node.health_port ? node.health_port : health.port);
  };
  if (health.send_proxy != ProxyOnProbe::off && std::ranges::any_of(service.nodes, differs)) {
    warn_of_proxy(reader, "node_health");
  }
  if (service.health && service.health->weight_from_probe) {
    reader.warning("health", "`weight: probe` has no effect beside `node_health`: a weight is a node's",
                   "`weight: probe` in node_health");
  }
}

void check_probe(ObjectReader& reader, const Service& service) {
  check_node_probe(reader, service);
  if (!service.health) return;
  const Health& health = *service.health;
  if (health.send_proxy != ProxyOnProbe::off && probes_another_port(service)) warn_of_proxy(reader, "health");
  const bool decided = reader.place("health").find("send_proxy") != nullptr;
  const bool own_port = health.port || (!service.node_health && std::ranges::any_of(service.nodes, [](const Node& n) {
                          return n.health_port.has_value();
                        }));
  const bool asks = health.kind != ProbeKind::tcp && health.kind != ProbeKind::track;
  if (service.propagate.proxy_protocol && asks && !decided && !own_port) {
    reader.warning("health",
                   "the backends are sent a PROXY header and the probes of the same port are not: one that requires it "
                   "refuses them",
                   "`send_proxy: true`, or `send_proxy: false` if they take both");
  }
}

}  // namespace

void check_endpoints(ObjectReader& reader, const std::vector<Endpoint>& endpoints) {
  const Items items(reader, "endpoints");
  std::unordered_set<std::string> seen;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const std::string key = key_of(endpoints[i]);
    if (key.empty() || seen.insert(key).second) continue;
    items.warning(i, quote(key) + " is listed twice in this service", "a weight gives it a larger share");
  }
}

void check_nodes(ObjectReader& reader, const std::vector<Node>& nodes, const Service& service) {
  const Items items(reader, "nodes");
  std::unordered_set<std::string_view> names;
  const YamlNode* probe = reader.node().find("node_health");
  const bool port_given = probe != nullptr && probe->find("port") != nullptr;  // and maybe wrong, which was reported
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    if (node.host.empty()) continue;
    if (!names.insert(node.name).second) {
      items.error(i, "there is another node " + quote(node.name) + " in this service", "give each node its own `name`");
    }
    if (!node.port && !service.port && node.endpoints.empty()) {
      items.error(i, "there is no port to send its traffic to",
                  "add `port:` to the service (for all of its nodes) or to the node, or list the node's `endpoints`");
    }
    const auto& health = service.node_health ? service.node_health : service.health;
    if (node.health_port && !health) {
      items.warning(i, "`health_port` has no effect: the service has no `health`");
    } else if (node.health_port && health->kind == ProbeKind::track) {
      items.warning(i, "`health_port` has no effect: the service tracks " + quote(health->track));
    } else if (service.node_health && health->kind != ProbeKind::track && !node.health_port && !health->port &&
               !port_given) {
      items.error(i, "there is no port for `node_health` to probe it at",
                  "add `port:` to node_health (kube-proxy's own is 10256) or `health_port:` to the node");
    }
  }
}

void check_sources(ObjectReader& reader, const std::vector<Node>& nodes, const std::vector<Endpoint>& endpoints,
                   const Service& service) {
  if (!service.propagate.transparent_source) return;
  const auto check = [](const Items& items, std::size_t i, const Endpoint& endpoint) {
    if (endpoint.address.ip || endpoint.address.unix_path.empty()) return;
    items.error(
        i, quote(endpoint.address.to_string()) + " has no source address, and `source_address: transparent` needs one",
        "give the endpoint an IP address and port");
  };
  const Items at_nodes(reader, "nodes"), at_endpoints(reader, "endpoints");
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const Endpoint& endpoint : nodes[i].endpoints) check(at_nodes, i, endpoint);
  }
  for (std::size_t i = 0; i < endpoints.size(); ++i) check(at_endpoints, i, endpoints[i]);
}

void check_service(ObjectReader& reader, const Service& service) {
  const auto listed = [&](std::string_view field) { return reader.has(field) && !reader.value(field)->items.empty(); };
  const auto wrong = [&](std::string_view field) {
    return reader.has(field) && reader.value(field)->kind != YamlNode::Kind::sequence;
  };
  const bool has_file = reader.has("endpoints_file");
  if (!has_file && !listed("nodes") && !listed("endpoints") && !wrong("nodes") && !wrong("endpoints") &&
      reader.node().kind == YamlNode::Kind::map) {
    reader.error_here("this service has nothing that serves",
                      "list addresses as `endpoints: [10.0.0.1:8080]`, or hosts under `nodes:`");
  } else if (!has_file && !has_weight(service) && (listed("nodes") || listed("endpoints"))) {
    reader.error_here("every weight in this service is 0: nothing serves", "");
  }
  check_nodes(reader, service.nodes, service);
  check_endpoints(reader, service.endpoints);
  check_probe(reader, service);
  check_sources(reader, service.nodes, service.endpoints, service);
  if ((service.propagate.proxy_protocol || service.propagate.transparent_source) &&
      service.pool.max_idle_identities == 0) {
    reader.warning(
        "pool",
        "with `max_idle_identities: 0` every request opens a connection: none that carried a PROXY header, or comes "
        "from a client's address, is kept",
        "remove max_idle_identities; such a connection only ever serves the client that it names");
  }
}

}  // namespace telltale::conf
