#include "conf/read.h"
#include "conf/suggest.h"

#include <algorithm>
#include <unordered_set>

namespace telltale::conf {
namespace {

constexpr std::string_view node_name_hint = "`node_name: \"${NODE_NAME}\"` at the top of the file";

bool is_name(const Node& node) { return !net::IpAddress::parse(node.host); }

/// Whether every node of the service is in the configuration, by its name.
bool lists_every_node(const Service& service) {
  return service.endpoints_file.empty() && std::ranges::none_of(service.nodes, is_name);
}

class PolicyCheck {
 public:
  PolicyCheck(Diagnostics& diagnostics, const Draft& draft) : diagnostics_(diagnostics), draft_(draft) {}

  void run() {
    for (const Listener& listener : draft_.model.listeners) {
      for (const Route& route : listener.routes) {
        if (route.service) (listener.internal ? internal_ : external_).insert(*route.service);
      }
    }
    for (index_ = 0; index_ < draft_.services.size(); ++index_) {
      if (service().external_traffic_policy == TrafficPolicy::local) check_external();
      if (service().internal_traffic_policy == TrafficPolicy::local) check_internal();
      check_distribution();
    }
  }

 private:
  const Service& service() const { return draft_.model.services[index_]; }
  bool is_on_a_node() const { return !draft_.model.node_name.empty(); }
  void warning(std::string_view field, std::string message, std::string hint) {
    diagnostics_.warning(draft_.services[index_].node->descend({field}),
                         "services[" + std::to_string(index_) + "]." + std::string(field), std::move(message),
                         std::move(hint));
  }
  void check_external();
  void check_internal();
  void check_our_node(std::string_view field);
  void check_distribution();

  Diagnostics& diagnostics_;
  const Draft& draft_;
  std::size_t index_ = 0;
  std::unordered_set<std::size_t> internal_, external_;  ///< services that such listeners lead to
};

void PolicyCheck::check_external() {
  if (internal_.contains(index_) && !external_.contains(index_) && !service().health_check_node_port) {
    return warning("external_traffic_policy", "has no effect: only listeners with `internal: true` lead here",
                   "internal_traffic_policy: local");
  }
  if (is_on_a_node()) return check_our_node("external_traffic_policy");
  if (service().health || service().node_health) return;
  warning("external_traffic_policy", "without `health` every node counts as having endpoints of its own",
          "health: { http: /healthz, port: <healthCheckNodePort> }, or `node_name` if this runs on one of the nodes");
}

void PolicyCheck::check_internal() {
  if (external_.contains(index_) && !internal_.contains(index_)) {
    return warning("internal_traffic_policy", "has no effect: no listener with `internal: true` leads here",
                   "`internal: true` at the listener that clients within the cluster use");
  }
  if (is_on_a_node()) return check_our_node("internal_traffic_policy");
  warning("internal_traffic_policy",
          "has no effect: it means the endpoints of our own node, and `node_name` does not say which that is",
          std::string(node_name_hint));
}

void PolicyCheck::check_our_node(std::string_view field) {
  const std::string& ours = draft_.model.node_name;
  if (!lists_every_node(service()) || std::ranges::find(service().nodes, ours, &Node::name) != service().nodes.end()) {
    return;
  }
  std::vector<std::string_view> names;
  for (const Node& node : service().nodes) names.push_back(node.name);
  warning(field, "no node of this service is called " + quote(ours) + ", as `node_name` is: nothing can serve here",
          did_you_mean(ours, names, names.empty() ? "its endpoints belong to nodes: `nodes:`" : ""));
}

void PolicyCheck::check_distribution() {
  const TrafficDistribution wanted = service().traffic_distribution;
  if (wanted == TrafficDistribution::any || is_on_a_node()) return;
  const bool has_zone = !draft_.model.zone.empty();
  if (wanted == TrafficDistribution::prefer_same_zone && !has_zone) {
    warning("traffic_distribution", "has no effect: neither `zone` nor `node_name` says where this process runs",
            "`zone:` at the top of the file");
  } else if (wanted == TrafficDistribution::prefer_same_node) {
    warning("traffic_distribution",
            has_zone ? "is the same as prefer_same_zone: `node_name` does not say which node is ours"
                     : "has no effect: `node_name` does not say which node is ours",
            std::string(node_name_hint));
  }
}

}  // namespace

void check_policies(Diagnostics& diagnostics, const Draft& draft) { PolicyCheck(diagnostics, draft).run(); }

}  // namespace telltale::conf
