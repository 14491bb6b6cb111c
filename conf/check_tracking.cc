#include "conf/read.h"
#include "conf/suggest.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace telltale::conf {
namespace {

bool tracks(const Service& service) { return service.health && service.health->kind == ProbeKind::track; }

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
      if (node.endpoints.empty() || node.health_port || service.health->port) hosts.insert(node.host);
      for (const Endpoint& each : node.endpoints) hosts.insert(host_of(each.address));
    }
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
      if (tracks(services()[i]) && !services()[i].health->track.empty()) check(i);
    }
  }

 private:
  const std::vector<Service>& services() const { return draft_.model.services; }
  const std::size_t* tracked_by(std::size_t service) const {
    if (!tracks(services()[service])) return nullptr;
    const auto found = by_name_.find(services()[service].health->track);
    return found == by_name_.end() ? nullptr : &found->second;
  }
  void error(std::size_t service, std::string message, std::string hint = {}) {
    diagnostics_.error(draft_.services[service].node->descend({"health", "track"}),
                       "services[" + std::to_string(service) + "].health.track", std::move(message), std::move(hint));
  }
  void check(std::size_t service);
  void report_missing(std::size_t service);
  bool check_circle(std::size_t service);
  void check_counterparts(std::size_t service, const Service& tracked);
  void check_list(const std::string& path, const YamlNode* list, const std::vector<Endpoint>& endpoints,
                  const Verdicts& verdicts, const std::string& tracked);
  void report(const YamlNode& place, std::string path, const std::string& who, const std::string& tracked);

  Diagnostics& diagnostics_;
  const Draft& draft_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
};

void TrackingCheck::check(std::size_t service) {
  const std::size_t* tracked = tracked_by(service);
  if (tracked == nullptr) return report_missing(service);
  const Service& other = services()[*tracked];
  if (!other.health) {
    return error(service, "the service " + quote(other.name) + " has no `health`: there is nothing to track",
                 "add `health:` there");
  }
  if (check_circle(service) && is_static(services()[service]) && is_static(other)) check_counterparts(service, other);
}

void TrackingCheck::report_missing(std::size_t service) {
  std::vector<std::string_view> names;
  for (const Service& each : services()) names.push_back(each.name);
  const std::string& name = services()[service].health->track;
  error(service, "there is no service " + quote(name),
        did_you_mean(name, names, "it must be the `name` of one of the services"));
}

/// False when it is in one, which is reported once, of its first service.
bool TrackingCheck::check_circle(std::size_t service) {
  std::string way = quote(services()[service].name);
  std::unordered_set<std::size_t> seen = {service};
  bool is_first = true;
  for (const std::size_t* next = tracked_by(service); next != nullptr; next = tracked_by(*next)) {
    way += " tracks " + quote(services()[*next].name);
    if (*next == service) {
      if (is_first) error(service, "no service has verdicts of its own here: " + way, "one of them needs a probe");
      return false;
    }
    if (!seen.insert(*next).second) return true;  // a circle further on
    is_first = is_first && *next > service;
  }
  return true;
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

}  // namespace

void check_tracking(Diagnostics& diagnostics, const Draft& draft) { TrackingCheck(diagnostics, draft).run(); }

}  // namespace telltale::conf
