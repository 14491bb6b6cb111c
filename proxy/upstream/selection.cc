#include "proxy/upstream/selection.h"

#include <algorithm>
#include <array>

namespace telltale::proxy {
namespace {

using Time = std::chrono::system_clock::time_point;
using Endpoints = std::vector<const Endpoint*>;

/// Of its full weight, what an endpoint that just came gets (Envoy's default); and how often it grows on the way.
constexpr double slow_start_floor = 0.1;
constexpr int slow_start_steps = 20;

/// Whether nodes weigh what their probes say.
bool weighs_by_probe(const conf::Service& conf) {
  const auto& health = conf.node_health ? conf.node_health : conf.health;
  return health && health->weight_from_probe;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

conf::TrafficPolicy policy_for(const conf::Service& conf, TrafficKind traffic) {
  return traffic == TrafficKind::internal ? conf.internal_traffic_policy : conf.external_traffic_policy;
}

bool is_ready(const Endpoint& endpoint) { return endpoint.state() == HealthState::healthy; }

/// KEP-1669: what still serves may be used while nothing is ready. Its probes may call it draining: it is.
bool serves_while_terminating(const Endpoint& endpoint) {
  return endpoint.terminating && endpoint.serving && !endpoint.passive->ejected &&
         endpoint.probed_state() != HealthState::unhealthy;
}

bool is_unknown(const Endpoint& endpoint) { return endpoint.state() == HealthState::unknown; }

/// Whether traffic is kept to the endpoints of our own node.
bool keeps_to_our_node(const conf::Service& conf, const Location& location, TrafficKind traffic) {
  return policy_for(conf, traffic) == conf::TrafficPolicy::local && !location.node_name.empty();
}

bool is_of_our_node(const Endpoint& endpoint, const Location& location) {
  return endpoint.node && endpoint.node->name == location.node_name;
}

/// The endpoints with the smallest priority number of those of which `fits` is true.
template <class Fits>
Endpoints first_priority(const Endpoints& all, Fits fits) {
  Endpoints found;
  for (const Endpoint* endpoint : all) {
    if (!fits(*endpoint) || (!found.empty() && endpoint->priority > found.front()->priority)) continue;
    if (!found.empty() && endpoint->priority < found.front()->priority) found.clear();
    found.push_back(endpoint);
  }
  return found;
}

/// Those hinted for `here`, if each has a hint and one matches; else none.
Endpoints hinted(const Endpoints& all, std::string_view here, const std::vector<std::string> Endpoint::* hints) {
  if (here.empty()) return {};
  Endpoints matching;
  for (const Endpoint* endpoint : all) {
    if ((endpoint->*hints).empty()) return {};
    if (contains(endpoint->*hints, here)) matching.push_back(endpoint);
  }
  return matching;
}

std::string_view zone_of(const Location& location, const EndpointSet& set) {
  if (!location.zone.empty() || location.node_name.empty()) return location.zone;
  const auto node = std::ranges::find(set.nodes, location.node_name, [](const auto& each) { return each->name; });
  return node == set.nodes.end() ? std::string_view() : std::string_view((*node)->zone);
}

/// As kube-proxy does (CategorizeEndpoints). What is ready there is ready and of the deciding priority here: the others
/// are spares, whose hints, or lack of any, say nothing.
Endpoints distribute(Endpoints ready, const conf::Service& conf, const EndpointSet& set, const Location& location) {
  using enum conf::TrafficDistribution;
  if (conf.traffic_distribution == any) return ready;
  Endpoints near;
  if (conf.traffic_distribution == prefer_same_node) near = hinted(ready, location.node_name, &Endpoint::for_nodes);
  if (near.empty()) near = hinted(ready, zone_of(location, set), &Endpoint::for_zones);
  return near.empty() ? ready : near;
}

/// Between the floor and 1; 1 once the time is over. A clock that was set back counts as over.
double slow_start_factor(const Endpoint& endpoint, conf::Milliseconds window, Time now) {
  const Time came = endpoint.came();
  if (window.count() == 0 || came == Time{} || now < came || now - came >= window) return 1;
  const std::chrono::duration<double> passed = now - came, all = window;
  return std::max(slow_start_floor, passed / all);
}

void add_candidates(const conf::Service& conf, const Endpoints& chosen, Time now, Selection& selection) {
  const bool from_probe = weighs_by_probe(conf);
  selection.candidates.reserve(chosen.size());
  for (const Endpoint* endpoint : chosen) {
    const double factor = slow_start_factor(*endpoint, conf.slow_start, now);
    if (factor < 1) selection.again = now + conf.slow_start / slow_start_steps;
    selection.candidates.push_back(
        {endpoint->index, endpoint->effective_weight(from_probe) * factor, balance_hash(endpoint->address_text)});
  }
}

constexpr std::array<std::string_view, 5> reason_names = {"fit", "terminating", "unknown", "no_endpoint",
                                                          "no_local_endpoint"};

}  // namespace

std::string_view to_string(SelectionReason reason) { return reason_names[static_cast<std::size_t>(reason)]; }

Selection select_endpoints(const conf::Service& conf, const EndpointSet& set, const Location& location,
                           TrafficKind traffic, Time now) {
  const bool only_ours = keeps_to_our_node(conf, location, traffic);
  const bool from_probe = weighs_by_probe(conf);
  Selection selection;
  Endpoints all;
  for (const auto& endpoint : set.endpoints) {
    if (endpoint->effective_weight(from_probe) <= 0) continue;
    if (only_ours && !is_of_our_node(*endpoint, location)) {
      selection.reason = SelectionReason::no_local_endpoint;
      continue;
    }
    all.push_back(endpoint.get());
  }
  const std::array<std::pair<SelectionReason, bool (*)(const Endpoint&)>, 3> levels = {{
      {SelectionReason::fit, &is_ready},
      {SelectionReason::terminating, &serves_while_terminating},
      {SelectionReason::unknown, &is_unknown},
  }};
  for (const auto& [reason, fits] : levels) {
    Endpoints chosen = first_priority(all, fits);
    if (chosen.empty()) continue;
    selection.reason = reason;
    const bool by_hints = reason == SelectionReason::fit && !only_ours;
    if (by_hints) chosen = distribute(std::move(chosen), conf, set, location);
    add_candidates(conf, chosen, now, selection);
    break;
  }
  return selection;
}

std::size_t count_local(const conf::Service& conf, const EndpointSet& set, const Location& location,
                        SelectionReason reason) {
  if (reason != SelectionReason::fit && reason != SelectionReason::unknown) return 0;
  const bool from_probe = conf.health && conf.health->weight_from_probe;
  const auto fits = reason == SelectionReason::fit ? &is_ready : &is_unknown;
  return static_cast<std::size_t>(std::ranges::count_if(set.endpoints, [&](const auto& endpoint) {
    if (endpoint->effective_weight(from_probe) <= 0 || !fits(*endpoint)) return false;
    return location.node_name.empty() || is_of_our_node(*endpoint, location);
  }));
}

bool is_last_candidate(const conf::Service& conf, const EndpointSet& set, const Location& location, TrafficKind traffic,
                       const Endpoint& endpoint) {
  const bool only_ours = keeps_to_our_node(conf, location, traffic);
  const bool from_probe = weighs_by_probe(conf);
  const auto may_be_chosen = [&](const Endpoint& each) {
    if (each.effective_weight(from_probe) <= 0 || (only_ours && !is_of_our_node(each, location))) return false;
    return is_ready(each) || is_unknown(each) || serves_while_terminating(each);
  };
  return may_be_chosen(endpoint) && std::ranges::none_of(set.endpoints, [&](const auto& each) {
           return each->id != endpoint.id && may_be_chosen(*each);
         });
}

}  // namespace telltale::proxy
