#include "proxy/upstream/endpoint_sets.h"

#include "proxy/upstream/probe_key.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string_view>

namespace telltale::proxy {
namespace {

const std::string& name_of(const conf::Node& node) { return node.name.empty() ? node.host : node.name; }

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

bool tracks(const conf::Service& service) { return service.health && service.health->kind == conf::ProbeKind::track; }

std::string host_of(const conf::Address& address) {
  return address.ip ? address.ip->address.to_string() : address.unix_path;
}

/// What a set says of a node by name, or of an address; null: nothing.
class Tracked {
 public:
  explicit Tracked(const EndpointSet& set) {
    for (const auto& node : set.nodes) {
      if (node->verdict) add(node.get(), node->host, node->verdict);
    }
    for (const auto& endpoint : set.endpoints) {
      const auto& verdict = endpoint->verdict ? endpoint->verdict : endpoint->node ? endpoint->node->verdict : nullptr;
      if (verdict) add(endpoint->node.get(), host_of(endpoint->address), verdict);
    }
  }

  /// Of the node of that name the one at the host, for there may be several; else any of that name; else the host's.
  /// Never null: who has no counterpart is unknown, not healthy.
  std::shared_ptr<HealthVerdict> find(const std::string& node_name, const std::string& host) const {
    if (auto verdict = in(by_both_, both(node_name, host))) return verdict;
    if (auto verdict = in(by_name_, node_name)) return verdict;
    return find(host);
  }
  std::shared_ptr<HealthVerdict> find(const std::string& host) const {
    if (auto verdict = in(by_host_, host)) return verdict;
    auto unknown = std::make_shared<HealthVerdict>();
    unknown->set_reason("the tracked service has no such node or endpoint");
    return unknown;
  }

 private:
  using Map = std::unordered_map<std::string, std::shared_ptr<HealthVerdict>>;
  void add(const Node* node, const std::string& host, const std::shared_ptr<HealthVerdict>& verdict) {
    if (node != nullptr) {
      by_both_.try_emplace(both(node->name, host), verdict);
      by_name_.try_emplace(node->name, verdict);
    }
    by_host_.try_emplace(host, verdict);
  }
  static std::string both(const std::string& name, const std::string& host) { return name + '\n' + host; }
  static std::shared_ptr<HealthVerdict> in(const Map& map, const std::string& key) {
    const auto found = map.find(key);
    return found == map.end() ? nullptr : found->second;
  }
  Map by_both_, by_name_, by_host_;
};

}  // namespace

/// One new set.
class EndpointSets::Builder {
 public:
  Builder(EndpointSets& sets, std::size_t service, Time now)
      : sets_(sets), index_(service), service_(*sets.services_[service]), entry_(sets.entries_[service]), now_(now) {
    for (const auto& endpoint : service_.set().endpoints) before_[key_of(*endpoint)].push_back(endpoint);
    if (!tracks(service_.conf())) return;
    const auto tracked = std::ranges::find(sets_.services_, service_.conf().health->track, &Service::name);
    tracked_.emplace(tracked == sets_.services_.end() ? EndpointSet() : (*tracked)->set());
  }

  std::shared_ptr<const EndpointSet> build() {
    entry_.targets.clear();
    for (const conf::Node& node : entry_.members.nodes) ++nodes_by_name_[name_of(node)];
    for (const conf::Node& node : entry_.members.nodes) add_node(node);
    for (const conf::Endpoint& endpoint : entry_.members.endpoints) add_endpoint(endpoint, nullptr, 1, 1);
    // Only now: an index that was left may not be given to another endpoint in the very same step.
    for (const auto& [key, left] : before_) {
      for (const auto& endpoint : left) entry_.free_indexes.push_back(endpoint->index);
    }
    set_->index_limit = entry_.index_limit;
    if (service_.affinity() != nullptr) {
      for (const auto& endpoint : set_->endpoints) {
        set_->by_ticket.emplace(AffinityTable::ticket_of(endpoint->id), endpoint->index);
      }
    }
    return set_;
  }

 private:
  static std::string key_of(const Endpoint& endpoint) {
    return endpoint.address_text + '\n' + (endpoint.node ? endpoint.node->name : std::string());
  }

  void add_node(const conf::Node& conf);
  void add_endpoint(const conf::Endpoint& conf, std::shared_ptr<const Node> node, std::uint32_t node_weight,
                    double node_share);
  void take_place(Endpoint& endpoint);

  EndpointSets& sets_;
  std::size_t index_;
  Service& service_;
  Entry& entry_;
  Time now_;
  std::optional<Tracked> tracked_;
  std::unordered_map<std::string_view, std::size_t> nodes_by_name_;  // more than one: the addresses of a DNS name
  std::unordered_map<std::string, std::vector<std::shared_ptr<const Endpoint>>> before_;
  std::shared_ptr<EndpointSet> set_ = std::make_shared<EndpointSet>();
};

void EndpointSets::Builder::add_node(const conf::Node& conf) {
  const conf::Service& service = service_.conf();
  auto node = std::make_shared<Node>();
  node->host = conf.host;
  node->name = name_of(conf);
  node->display_name = nodes_by_name_[node->name] > 1 ? node->name + "/" + conf.host : node->name;
  node->zone = conf.zone;

  const auto& health = service.health;
  const auto health_port = conf.health_port ? conf.health_port : health ? health->port : std::nullopt;
  if (tracked_) {
    if (conf.endpoints.empty()) node->verdict = tracked_->find(node->name, node->host);
  } else if (health && (conf.endpoints.empty() || health_port)) {
    const std::uint16_t port = health_port ? *health_port : port_of(service, conf);
    node->verdict = sets_.verdict_of(index_, {net::IpPort{address_of(service, conf), port}, {}}, node->display_name);
  }
  set_->nodes.push_back(node);

  if (conf.endpoints.empty()) {
    conf::Endpoint itself;
    itself.address.ip = net::IpPort{address_of(service, conf), port_of(service, conf)};
    itself.name = node->display_name;
    add_endpoint(itself, node, conf.weight, 1);
    return;
  }
  double sum = 0;
  for (const conf::Endpoint& endpoint : conf.endpoints) sum += endpoint.weight;
  for (const conf::Endpoint& endpoint : conf.endpoints) {
    add_endpoint(endpoint, node, conf.weight, sum > 0 ? endpoint.weight / sum : 1);
  }
}

void EndpointSets::Builder::add_endpoint(const conf::Endpoint& conf, std::shared_ptr<const Node> node,
                                         std::uint32_t node_weight, double node_share) {
  auto endpoint = std::make_shared<Endpoint>();
  endpoint->address = conf.address;
  endpoint->address_text = conf.address.to_string();
  endpoint->name = conf.name.empty() ? endpoint->address_text : conf.name;
  endpoint->weight = times(conf.weight, node_weight);
  endpoint->node_share = node_share;
  endpoint->priority = conf.priority;
  endpoint->zone = conf.zone.empty() && node ? node->zone : conf.zone;
  endpoint->for_zones = conf.for_zones;
  endpoint->for_nodes = conf.for_nodes;
  if (endpoint->for_zones.empty() && !endpoint->zone.empty()) endpoint->for_zones = {endpoint->zone};
  if (endpoint->for_nodes.empty() && node) endpoint->for_nodes = {node->name};
  endpoint->serving = conf.serving;
  endpoint->terminating = conf.terminating;
  endpoint->node = std::move(node);
  const auto& health = service_.conf().health;
  if (tracked_) {
    if (!endpoint->node) {
      endpoint->verdict = tracked_->find(host_of(conf.address));
    } else if (!endpoint->node->verdict) {
      endpoint->verdict = tracked_->find(endpoint->node->name, host_of(conf.address));
    }
  } else if (health && !(endpoint->node && endpoint->node->verdict)) {
    conf::Address target = conf.address;
    if (target.ip && health->port) target.ip->port = *health->port;
    endpoint->verdict = sets_.verdict_of(index_, std::move(target), endpoint->name);
  }
  take_place(*endpoint);
  set_->endpoints.push_back(std::move(endpoint));
}

/// The place that it had, or a new one.
void EndpointSets::Builder::take_place(Endpoint& endpoint) {
  const auto found = before_.find(key_of(endpoint));
  if (found != before_.end() && !found->second.empty()) {
    const Endpoint& before = *found->second.front();
    endpoint.id = before.id;
    endpoint.index = before.index;
    endpoint.passive = before.passive;
    endpoint.known_since = before.known_since;
    found->second.erase(found->second.begin());
    return;
  }
  endpoint.id = entry_.next_id++;
  endpoint.passive = std::make_shared<PassiveHealth>();
  endpoint.known_since = now_;
  if (entry_.free_indexes.empty()) {
    endpoint.index = entry_.index_limit++;
  } else {
    endpoint.index = entry_.free_indexes.back();
    entry_.free_indexes.pop_back();
  }
}

EndpointSets::EndpointSets(std::vector<std::shared_ptr<Service>> services)
    : services_(std::move(services)), entries_(services_.size()) {}

std::vector<std::size_t> EndpointSets::use(std::size_t service, Members members, Time now) {
  entries_[service].members = std::move(members);
  std::vector<std::size_t> changed = {service};
  // Those that track it, and those that track these; nobody tracks himself (conf/check).
  for (std::size_t next = 0; next < changed.size(); ++next) {
    rebuild(changed[next], now);
    for (std::size_t i = 0; i < services_.size(); ++i) {
      const conf::Service& conf = services_[i]->conf();
      const bool is_known = std::ranges::find(changed, i) != changed.end();
      if (tracks(conf) && !is_known && conf.health->track == services_[changed[next]]->name()) changed.push_back(i);
    }
  }
  std::erase_if(verdicts_, [](const auto& each) { return each.second.expired(); });
  return changed;
}

void EndpointSets::rebuild(std::size_t service, Time now) {
  services_[service]->use(Builder(*this, service, now).build());
}

std::shared_ptr<HealthVerdict> EndpointSets::verdict_of(std::size_t service, conf::Address address,
                                                        const std::string& name) {
  const Service& of = *services_[service];
  // The service's own, which it lives in: the same for all of its targets.
  std::shared_ptr<const conf::Health> health(services_[service], &*of.conf().health);
  std::string host = !health->host.empty() ? health->host : address.ip ? address.to_string() : "localhost";
  auto& known = verdicts_[probe_key(*health, host, address)];
  auto verdict = known.lock();
  if (!verdict) known = verdict = std::make_shared<HealthVerdict>();
  entries_[service].targets.push_back(
      {std::move(health), std::move(host), std::move(address), verdict, of.name() + "/" + name, {service}});
  return verdict;
}

std::vector<ProbeTarget> EndpointSets::probe_targets() const {
  std::vector<ProbeTarget> all;
  std::unordered_map<const HealthVerdict*, std::size_t> places;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    for (const ProbeTarget& target : entries_[i].targets) {
      const auto [place, is_new] = places.try_emplace(target.verdict.get(), all.size());
      if (is_new) {
        all.push_back(target);
      } else if (all[place->second].affected.back() != i) {
        all[place->second].affected.push_back(i);  // services come one after the other: a repetition is the last one
      }
    }
  }
  // A tracker's verdicts are others' targets.
  for (std::size_t i = 0; i < services_.size(); ++i) {
    if (!tracks(services_[i]->conf())) continue;
    const auto affects = [&](const std::shared_ptr<HealthVerdict>& verdict) {
      const auto place = places.find(verdict.get());
      if (place == places.end()) return;
      auto& affected = all[place->second].affected;
      if (std::ranges::find(affected, i) == affected.end()) affected.push_back(i);
    };
    for (const auto& node : services_[i]->set().nodes) affects(node->verdict);
    for (const auto& endpoint : services_[i]->set().endpoints) affects(endpoint->verdict);
  }
  return all;
}

}  // namespace telltale::proxy
