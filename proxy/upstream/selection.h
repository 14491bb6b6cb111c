#pragma once

#include "proxy/upstream/balancer.h"
#include "proxy/upstream/endpoint.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::proxy {

/// Where this process stands.
struct Location {
  std::string node_name;  ///< empty: on no node, outside
  std::string zone;       ///< empty: that of the node in the service, if it is there
};

/// Who sends: from outside the cluster, or from within it (a listener with `internal: true`).
enum class TrafficKind : std::uint8_t { external, internal };
inline constexpr std::size_t traffic_kinds = 2;

/// Why nobody may be chosen, or who is when nobody is healthy.
enum class SelectionReason : std::uint8_t {
  fit,                ///< ready ones
  terminating,        ///< none is ready: those that terminate and still serve (KEP-1669)
  unknown,            ///< none of these either: those of which nothing is known
  no_endpoint,        ///< none at all
  no_local_endpoint,  ///< `local`: none on our node, though there are some elsewhere
};
std::string_view to_string(SelectionReason reason);

struct Selection {
  std::vector<Candidate> candidates;
  SelectionReason reason = SelectionReason::no_endpoint;
  /// Weights are to be computed again then, as an endpoint starts slowly; time_point::max(): they stay.
  std::chrono::system_clock::time_point again = std::chrono::system_clock::time_point::max();
};

/// Who may be chosen (health.md, "States" and "Traffic policies"). In this order:
/// 1. a policy of `local` on a node leaves its own endpoints;
/// 2. of each priority from the smallest number on: ready ones, that is serving, not terminating, healthy; the first
///    priority that has some decides; if none has any, the same for terminating ones that serve and are not unhealthy
///    by their probes; if none has any, the same for `unknown` ones; never draining or unhealthy ones;
/// 3. `traffic_distribution` leaves those hinted for our node, else for our zone, if each has such a hint and one
///    matches: of the ready ones that 2 left, for hints are about who is ready, and not where 1 left our own;
/// 4. weights: configured or from the probe, less while an endpoint starts slowly. Weight 0 is out before all of this.
/// Control thread.
Selection select_endpoints(const conf::Service& conf, const EndpointSet& set, const Location& location,
                           TrafficKind traffic, std::chrono::system_clock::time_point now);

/// How many endpoints a health port answers for (proxy/health/health_ports.h), where `reason` is why those may be
/// chosen who may: with `fit` the ready ones, with `unknown` the unknown ones, else none; on a node only its own. As
/// kube-proxy counts: of any priority, whatever hints and policies say. Weight 0 is out here, too. Control thread.
std::size_t count_local(const conf::Service& conf, const EndpointSet& set, const Location& location,
                        SelectionReason reason);

/// Whether `endpoint` may be chosen and, without it, nobody could be: by 1 and 2 above. Control thread.
bool is_last_candidate(const conf::Service& conf, const EndpointSet& set, const Location& location, TrafficKind traffic,
                       const Endpoint& endpoint);

}  // namespace telltale::proxy
