#include "conf/read.h"
#include "conf/suggest.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace telltale::conf {
namespace {

/// The two fields by which a service may track another one.
struct Tracking {
  std::string_view field;
  std::optional<Health> Service::* health;
};
constexpr std::array<Tracking, 2> trackings = {{{"health", &Service::health}, {"node_health", &Service::node_health}}};

bool tracks(const Service& service, const Tracking& by) {
  const auto& health = service.*by.health;
  return health && health->kind == ProbeKind::track;
}

/// Whether everybody who serves is in the configuration, by address.
bool is_static(const Service& service) {
  const auto has_name = [](const Endpoint& endpoint) { return endpoint.dns.has_value(); };
  const auto is_dynamic = [&](const Node& node) {
    return !net::IpAddress::parse(node.host) || std::ranges::any_of(node.endpoints, has_name);
  };
  return service.endpoints_file.empty() && std::ranges::none_of(service.endpoints, has_name) &&
         std::ranges::none_of(service.nodes, is_dynamic);
}

std::string host_of(const Address& address) { return address.ip ? address.ip->address.to_string() : address.unix_path; }

/// Whom a service has verdicts of.
struct Verdicts {
  std::unordered_set<std::string> nodes, hosts;
  explicit Verdicts(const Service& service) {
    for (const Node& node : service.nodes) {
      nodes.insert(node.name);
      // One with endpoints is probed itself only at a health port; else its endpoints are.
      if (node.endpoints.empty() || service.node_health || node.health_port || service.health->port) {
        hosts.insert(node.host);
      }
      for (const Endpoint& each : node.endpoints) hosts.insert(host_of(each.address));
    }
    if (!service.health) return;
    for (const Endpoint& each : service.endpoints) hosts.insert(host_of(each.address));
  }
};

class TrackingCheck {
 public:
  TrackingCheck(Diagnostics& diagnostics, const Draft& draft) : diagnostics_(diagnostics), draft_(draft) {
    for (std::size_t i = 0; i < services().size(); ++i) by_name_.emplace(services()[i].name, i);
  }
  void run() {
    for (std::size_t i = 0; i < services().size(); ++i) {
      for (const Tracking& by : trackings) {
        if (tracks(services()[i], by) && !(services()[i].*by.health)->track.empty()) check(i, by);
      }
    }
  }

 private:
  const std::vector<Service>& services() const { return draft_.model.services; }
  const std::size_t* tracked_by(std::size_t service, const Tracking& by) const {
    if (!tracks(services()[service], by)) return nullptr;
    const auto found = by_name_.find((services()[service].*by.health)->track);
    return found == by_name_.end() ? nullptr : &found->second;
  }
  void error(std::size_t service, const Tracking& by, std::string message, std::string hint = {}) {
    diagnostics_.error(draft_.services[service].node->descend({by.field, "track"}),
                       "services[" + std::to_string(service) + "]." + std::string(by.field) + ".track",
                       std::move(message), std::move(hint));
  }
  void check(std::size_t service, const Tracking& by);
  void report_missing(std::size_t service, const Tracking& by);
  std::vector<std::size_t> way(std::size_t from, std::size_t to) const;
  bool check_circle(std::size_t service, const Tracking& by);
  void check_counterparts(std::size_t service, const Service& tracked);
  void check_nodes(std::size_t service, const Service& tracked);
  void check_list(const std::string& path, const YamlNode* list, const std::vector<Endpoint>& endpoints,
                  const Verdicts& verdicts, const std::string& tracked);
  void report(const YamlNode& place, std::string path, const std::string& who, const std::string& tracked);

  Diagnostics& diagnostics_;
  const Draft& draft_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
};

void TrackingCheck::check(std::size_t service, const Tracking& by) {
  const std::size_t* tracked = tracked_by(service, by);
  if (tracked == nullptr) return report_missing(service, by);
  const Service& other = services()[*tracked];
  if (!other.health && !other.node_health) {
    return error(service, by, "the service " + quote(other.name) + " has no `health`: there is nothing to track",
                 "add `health:` there");
  }
  if (!check_circle(service, by) || !is_static(services()[service]) || !is_static(other)) return;
  if (by.health == &Service::health) {
    check_counterparts(service, other);
  } else {
    check_nodes(service, other);
  }
}

void TrackingCheck::report_missing(std::size_t service, const Tracking& by) {
  std::vector<std::string_view> names;
  for (const Service& each : services()) names.push_back(each.name);
  const std::string& name = (services()[service].*by.health)->track;
  error(service, by, "there is no service " + quote(name),
        did_you_mean(name, names, "it must be the `name` of one of the services"));
}

/// From service to service, each tracked by the one before it, both ends included; empty: there is none.
std::vector<std::size_t> TrackingCheck::way(std::size_t from, std::size_t to) const {
  std::unordered_map<std::size_t, std::size_t> before = {{from, from}};
  std::vector<std::size_t> found = {from};
  for (std::size_t at = 0; at < found.size() && !before.contains(to); ++at) {
    for (const Tracking& by : trackings) {
      const std::size_t* next = tracked_by(found[at], by);
      if (next != nullptr && before.emplace(*next, found[at]).second) found.push_back(*next);
    }
  }
  std::vector<std::size_t> all;
  if (!before.contains(to)) return all;
  for (std::size_t at = to; at != from; at = before[at]) all.push_back(at);
  all.push_back(from);
  std::ranges::reverse(all);
  return all;
}

/// False when it is in one, which is reported once, of its first service.
bool TrackingCheck::check_circle(std::size_t service, const Tracking& by) {
  const auto back = way(*tracked_by(service, by), service);
  if (back.empty()) return true;
  if (std::ranges::min(back) < service) return false;
  std::string text = quote(services()[service].name);
  for (const std::size_t each : back) text += " tracks " + quote(services()[each].name);
  error(service, by, "no service has verdicts of its own here: " + text, "one of them needs a probe");
  return false;
}

void TrackingCheck::report(const YamlNode& place, std::string path, const std::string& who,
                           const std::string& tracked) {
  diagnostics_.error(place, std::move(path),
                     quote(who) + " has no counterpart in the service " + quote(tracked) + ", which is tracked",
                     "a node there of the same name, else one or an endpoint of the same address");
}

void TrackingCheck::check_list(const std::string& path, const YamlNode* list, const std::vector<Endpoint>& endpoints,
                               const Verdicts& verdicts, const std::string& tracked) {
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const std::string host = host_of(endpoints[i].address);
    if (host.empty() || verdicts.hosts.contains(host)) continue;
    report(*list->items[i], path + "[" + std::to_string(i) + "]", endpoints[i].name, tracked);
  }
}

void TrackingCheck::check_counterparts(std::size_t service, const Service& tracked) {
  const Verdicts verdicts(tracked);
  const YamlNode& place = *draft_.services[service].node;
  const std::string path = "services[" + std::to_string(service) + "]";
  const auto& nodes = services()[service].nodes;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const YamlNode& item = *place.find("nodes")->items[i];
    const std::string item_path = path + ".nodes[" + std::to_string(i) + "]";
    if (nodes[i].host.empty() || verdicts.nodes.contains(nodes[i].name)) continue;
    if (!nodes[i].endpoints.empty()) {
      check_list(item_path + ".endpoints", item.find("endpoints"), nodes[i].endpoints, verdicts, tracked.name);
    } else if (!verdicts.hosts.contains(nodes[i].host)) {
      report(item, item_path, nodes[i].name, tracked.name);
    }
  }
  check_list(path + ".endpoints", place.find("endpoints"), services()[service].endpoints, verdicts, tracked.name);
}

/// For `node_health`: by name, else by address.
void TrackingCheck::check_nodes(std::size_t service, const Service& tracked) {
  const Verdicts verdicts(tracked);
  const auto& nodes = services()[service].nodes;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    if (node.host.empty() || verdicts.nodes.contains(node.name) || verdicts.hosts.contains(node.host)) continue;
    report(*draft_.services[service].node->find("nodes")->items[i],
           "services[" + std::to_string(service) + "].nodes[" + std::to_string(i) + "]", node.name, tracked.name);
  }
}

}  // namespace

void check_tracking(Diagnostics& diagnostics, const Draft& draft) { TrackingCheck(diagnostics, draft).run(); }

}  // namespace telltale::conf
