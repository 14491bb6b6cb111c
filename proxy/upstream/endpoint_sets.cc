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

bool tracks(const std::optional<conf::Health>& health) { return health && health->kind == conf::ProbeKind::track; }
bool tracks(const conf::Service& service) { return tracks(service.health) || tracks(service.node_health); }
bool tracks(const conf::Service& service, const std::string& other) {
  return (tracks(service.health) && service.health->track == other) ||
         (tracks(service.node_health) && service.node_health->track == other);
}

std::string host_of(const conf::Address& address) {
  return address.ip ? address.ip->address.to_string() : address.unix_path;
}

/// What probes say of one who serves: that of its node, and its own.
struct Verdicts {
  std::shared_ptr<HealthVerdict> node, own;
  const std::shared_ptr<HealthVerdict>& node_first() const { return node ? node : own; }
  const std::shared_ptr<HealthVerdict>& own_first() const { return own ? own : node; }
};

/// What a set says of a node by name, or of an address.
class Tracked {
 public:
  explicit Tracked(const EndpointSet& set) {
    for (const auto& node : set.nodes) {
      if (!node->verdict) continue;
      const Verdicts its{node->verdict, nullptr};
      by_both_.try_emplace(both(node->name, node->host), its);
      by_name_.try_emplace(node->name, its);
      by_host_.try_emplace(node->host, its);
    }
    for (const auto& endpoint : set.endpoints) {
      const Verdicts its{endpoint->node_verdict(), endpoint->verdict};
      if (!its.node && !its.own) continue;
      const std::string host = host_of(endpoint->address);
      if (endpoint->node) {
        add(by_both_, both(endpoint->node->name, host), its, true);
        add(by_name_, endpoint->node->name, its, host == endpoint->node->host);
      }
      add(by_host_, host, its, true);
    }
  }

  /// Of the node of that name the one at the host, for there may be several; else any of that name; else the host's.
  /// One verdict at least: who has no counterpart is unknown, not healthy. `node_name` may be empty.
  Verdicts find(const std::string& node_name, const std::string& host) const {
    const Verdicts there = in(by_host_, host);
    Verdicts found = in(by_both_, both(node_name, host));
    if (!found.node && !found.own) found = in(by_name_, node_name);
    if (!found.node && !found.own) found = there;
    if (!found.own && found.node == there.node) found.own = there.own;
    if (!found.node && !found.own) {
      found.own = std::make_shared<HealthVerdict>();
      found.own->set_reason("the tracked service has no such node or endpoint");
    }
    return found;
  }

 private:
  using Map = std::unordered_map<std::string, Verdicts>;
  static std::string both(const std::string& name, const std::string& host) { return name + '\n' + host; }
  /// What serves at the node's own address completes what is known of the node.
  static void add(Map& map, const std::string& key, const Verdicts& its, bool completes) {
    const auto [place, is_new] = map.try_emplace(key, its);
    Verdicts& known = place->second;
    if (!is_new && completes && known.node == its.node && !known.own) known.own = its.own;
  }
  static Verdicts in(const Map& map, const std::string& key) {
    const auto found = map.find(key);
    return found == map.end() ? Verdicts() : found->second;
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
    track(service_.conf().health, tracked_);
    track(service_.conf().node_health, tracked_nodes_);
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

  void track(const std::optional<conf::Health>& health, std::optional<Tracked>& tracked) const;
  void add_node(const conf::Node& conf);
  std::shared_ptr<HealthVerdict> verdict_of(const conf::Node& conf, const Node& node) const;
  void add_endpoint(const conf::Endpoint& conf, std::shared_ptr<const Node> node, std::uint32_t node_weight,
                    double node_share);
  void judge(Endpoint& endpoint) const;
  void judge_as_tracked(Endpoint& endpoint) const;
  void take_place(Endpoint& endpoint);

  EndpointSets& sets_;
  std::size_t index_;
  Service& service_;
  Entry& entry_;
  Time now_;
  std::optional<Tracked> tracked_, tracked_nodes_;                   // by `health`, by `node_health`
  std::unordered_map<std::string_view, std::size_t> nodes_by_name_;  // more than one: the addresses of a DNS name
  std::unordered_map<std::string, std::vector<std::shared_ptr<const Endpoint>>> before_;
  std::shared_ptr<EndpointSet> set_ = std::make_shared<EndpointSet>();
};

void EndpointSets::Builder::track(const std::optional<conf::Health>& health, std::optional<Tracked>& tracked) const {
  if (!tracks(health)) return;
  const auto other = std::ranges::find(sets_.services_, health->track, &Service::name);
  tracked.emplace(other == sets_.services_.end() ? EndpointSet() : (*other)->set());
}

/// The node's; null: it is not probed itself.
std::shared_ptr<HealthVerdict> EndpointSets::Builder::verdict_of(const conf::Node& conf, const Node& node) const {
  const conf::Service& service = service_.conf();
  if (tracked_nodes_) return tracked_nodes_->find(node.name, node.host).node_first();
  if (tracked_ && !service.node_health) {
    return conf.endpoints.empty() ? tracked_->find(node.name, node.host).node_first() : nullptr;
  }
  const auto& health = service.node_health ? service.node_health : service.health;
  if (!health) return nullptr;
  auto port = conf.health_port ? conf.health_port : health->port;
  if (!port && !service.node_health && !conf.endpoints.empty()) return nullptr;
  if (!port) port = port_of(service, conf);
  return sets_.verdict_of(index_, *health, {net::IpPort{address_of(service, conf), *port}, {}}, node.display_name,
                          conf.host_name);
}

void EndpointSets::Builder::add_node(const conf::Node& conf) {
  const conf::Service& service = service_.conf();
  auto node = std::make_shared<Node>();
  node->host = conf.host;
  node->name = name_of(conf);
  node->display_name = nodes_by_name_[node->name] > 1 ? node->name + "/" + conf.host : node->name;
  node->zone = conf.zone;
  node->verdict = verdict_of(conf, *node);
  set_->nodes.push_back(node);

  if (conf.endpoints.empty()) {
    conf::Endpoint itself;
    itself.address.ip = net::IpPort{address_of(service, conf), port_of(service, conf)};
    itself.name = node->display_name;
    itself.host_name = conf.host_name;
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
  endpoint->host_name = conf.host_name;
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
  judge(*endpoint);
  take_place(*endpoint);
  set_->endpoints.push_back(std::move(endpoint));
}

/// By its own probe, if it has one beside its node's.
void EndpointSets::Builder::judge(Endpoint& endpoint) const {
  const auto& health = service_.conf().health;
  if (tracked_) return judge_as_tracked(endpoint);
  if (!health || (!service_.conf().node_health && endpoint.node_verdict())) return;
  conf::Address target = endpoint.address;
  if (target.ip && health->port) target.ip->port = *health->port;
  endpoint.verdict = sets_.verdict_of(index_, *health, std::move(target), endpoint.name, endpoint.host_name);
}

void EndpointSets::Builder::judge_as_tracked(Endpoint& endpoint) const {
  const Verdicts found = tracked_->find(endpoint.node ? endpoint.node->name : std::string(), host_of(endpoint.address));
  if (service_.conf().node_health) {
    endpoint.verdict = found.own_first();
  } else if (!endpoint.node_verdict()) {
    endpoint.verdict = found.own_first();
    if (found.own) endpoint.tracked_node = found.node;
  } else if (found.node) {
    endpoint.verdict = found.own;  // a node that serves itself has the other one
  }
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
      if (!is_known && tracks(conf, services_[changed[next]]->name())) changed.push_back(i);
    }
  }
  std::erase_if(verdicts_, [](const auto& each) { return each.second.expired(); });
  return changed;
}

void EndpointSets::rebuild(std::size_t service, Time now) {
  services_[service]->use(Builder(*this, service, now).build());
}

/// `asked` is the service's own, which it lives in: the same for all of its targets.
std::shared_ptr<HealthVerdict> EndpointSets::verdict_of(std::size_t service, const conf::Health& asked,
                                                        conf::Address address, const std::string& name,
                                                        const std::string& host_name) {
  const Service& of = *services_[service];
  std::shared_ptr<const conf::Health> health(services_[service], &asked);
  std::string host = !health->host.empty() ? health->host : address.ip ? address.to_string() : "localhost";
  auto& known = verdicts_[probe_key(*health, host, address, host_name)];
  auto verdict = known.lock();
  if (!verdict) known = verdict = std::make_shared<HealthVerdict>();
  entries_[service].targets.push_back(
      {std::move(health), std::move(host), std::move(address), verdict, of.name() + "/" + name, {service}, host_name});
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
    for (const auto& endpoint : services_[i]->set().endpoints)
      affects(endpoint->verdict), affects(endpoint->tracked_node);
  }
  return all;
}

}  // namespace telltale::proxy
