#include "proxy/upstream/service_builder.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace telltale::proxy {
namespace {

/// What makes two probes the same one: everything that is sent, where to, when, and how its answer is judged.
std::string probe_key(const conf::Health& health, const conf::Address& address) {
  std::string key;
  const auto add = [&key](const auto& value) {
    if constexpr (std::is_arithmetic_v<std::decay_t<decltype(value)>>) {
      key += std::to_string(value);
    } else {
      key += value;
    }
    key += '\n';
  };
  add(address.to_string());
  add(static_cast<int>(health.kind));
  add(static_cast<int>(health.send_proxy));
  add(health.interval.count());
  add(health.timeout.count());
  add(health.rise);
  add(health.fall);
  if (health.kind == conf::ProbeKind::tcp) return key;
  add(health.fall_draining);
  add(health.strict);
  add(health.path);
  add(health.host);
  return key;
}

net::IpAddress address_of(const conf::Service& service, const conf::Node& node) {
  if (const auto address = net::IpAddress::parse(node.host)) return *address;
  throw std::invalid_argument("service " + service.name + ", node " + node.name + ": \"" + node.host +
                              "\" is not an IP address");
}

std::uint16_t port_of(const conf::Service& service, const conf::Node& node) {
  if (node.port) return *node.port;
  if (service.port) return *service.port;
  throw std::invalid_argument("service " + service.name + ", node " + node.name + ": no port");
}

std::uint32_t times(std::uint32_t a, std::uint32_t b) {
  const std::uint64_t product = std::uint64_t{a} * b;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(product, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

ServiceSet ServiceBuilder::build(std::span<const conf::Service> services) {
  ServiceBuilder builder;
  for (const conf::Service& service : services) builder.add(service);
  return std::move(builder.set_);
}

void ServiceBuilder::add(const conf::Service& conf) {
  set_.services.push_back(std::make_shared<Service>(conf, set_.services.size()));
  Service& service = *set_.services.back();
  for (const conf::Node& node : conf.nodes) add_node(service, node);
  for (const conf::Endpoint& endpoint : conf.endpoints) add_endpoint(service, endpoint, nullptr, 1);
}

void ServiceBuilder::add_node(Service& service, const conf::Node& conf) {
  auto node = std::make_unique<Node>();
  node->host = conf.host;
  node->name = conf.name.empty() ? conf.host : conf.name;
  node->zone = conf.zone;

  const auto& health = service.conf().health;
  const auto health_port = conf.health_port ? conf.health_port : health ? health->port : std::nullopt;
  if (health && (conf.endpoints.empty() || health_port)) {
    const std::uint16_t port = health_port ? *health_port : port_of(service.conf(), conf);
    node->verdict = verdict_of(service, {net::IpPort{address_of(service.conf(), conf), port}, {}}, node->name);
  }

  if (conf.endpoints.empty()) {
    const net::IpPort node_port{address_of(service.conf(), conf), port_of(service.conf(), conf)};
    add_endpoint(service, {{node_port, {}}, node->name, 1}, node.get(), conf.weight);
  }
  const std::size_t first = service.endpoints_.size();
  for (const conf::Endpoint& endpoint : conf.endpoints) add_endpoint(service, endpoint, node.get(), conf.weight);
  double sum = 0;
  for (std::size_t i = first; i < service.endpoints_.size(); ++i) sum += service.endpoints_[i]->weight;
  for (std::size_t i = first; sum > 0 && i < service.endpoints_.size(); ++i) {
    service.endpoints_[i]->node_share = service.endpoints_[i]->weight / sum;
  }
  service.nodes_.push_back(std::move(node));
}

void ServiceBuilder::add_endpoint(Service& service, const conf::Endpoint& conf, const Node* node,
                                  std::uint32_t node_weight) {
  auto endpoint = std::make_unique<Endpoint>();
  endpoint->index = set_.endpoint_count++;
  endpoint->address = conf.address;
  endpoint->address_text = conf.address.to_string();
  endpoint->name = conf.name.empty() ? endpoint->address_text : conf.name;
  endpoint->weight = times(conf.weight, node_weight);
  endpoint->node = node;
  if (service.conf().health && !(node && node->verdict)) {
    conf::Address target = conf.address;
    if (target.ip && service.conf().health->port) target.ip->port = *service.conf().health->port;
    endpoint->verdict = verdict_of(service, std::move(target), endpoint->name);
  }
  service.endpoints_.push_back(std::move(endpoint));
}

std::shared_ptr<HealthVerdict> ServiceBuilder::verdict_of(Service& service, conf::Address address,
                                                          const std::string& name) {
  conf::Health health = *service.conf().health;
  if (health.host.empty()) health.host = address.ip ? address.to_string() : "localhost";
  const auto [at, is_new] = target_places_.try_emplace(probe_key(health, address), set_.probe_targets.size());
  if (is_new) {
    set_.probe_targets.push_back(
        {std::move(health), std::move(address), std::make_shared<HealthVerdict>(), service.name() + "/" + name, {}});
  }
  ProbeTarget& target = set_.probe_targets[at->second];
  // Services come one after the other, so a repetition can only be the last one.
  if (target.affected.empty() || target.affected.back() != &service) target.affected.push_back(&service);
  return target.verdict;
}

}  // namespace telltale::proxy
