#pragma once

#include "conf/model_service.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace telltale::proxy {

/// health.md, "States".
enum class HealthState : std::uint8_t { unknown, healthy, draining, unhealthy };
std::string_view to_string(HealthState state);
/// Whether `a` is further from serving than `b`: healthy, unknown, draining, unhealthy.
bool is_worse(HealthState a, HealthState b);

/// One probe target's verdict, shared by every endpoint and service that names the same probe. Control thread only:
/// workers get what follows from it, a new balancer.
class HealthVerdict {
 public:
  HealthState state() const { return state_; }
  /// X-Load-Balancing-Endpoint-Weight of the last probe; -1: none came.
  std::int32_t weight() const { return weight_; }
  const std::string& reason() const { return reason_; }
  /// When the state began; {}: not probed yet.
  std::chrono::system_clock::time_point since() const { return since_; }
  /// When it last became healthy after it had been found anything else; {}: never.
  std::chrono::system_clock::time_point recovered() const { return recovered_; }

  void set(HealthState state, std::string reason, std::chrono::system_clock::time_point now);
  void set_weight(std::int32_t weight) { weight_ = weight; }
  /// What the last probe said, when it said it with the state unchanged: since() stays.
  void set_reason(std::string reason) { reason_ = std::move(reason); }

 private:
  HealthState state_ = HealthState::unknown;
  std::int32_t weight_ = -1;
  std::string reason_ = "not probed yet";
  std::chrono::system_clock::time_point since_{}, recovered_{};
};

/// What traffic says of an endpoint (proxy/health/ejector.h). Outlives changes of the endpoint's other properties.
struct PassiveHealth {
  std::atomic<std::uint32_t> failures{0};  ///< in a row, of all workers
  // Control thread only.
  bool ejected = false;
  unsigned times = 0;  ///< how often in short order: the next ejection takes longer
  std::string reason;
  std::chrono::system_clock::time_point since{}, until{};  ///< of the ejection
  std::chrono::system_clock::time_point recovered{};       ///< when the last one ended; {}: there was none
};

struct Node {
  std::string name;          ///< configured: policies, hints and tracking go by it; several addresses may have it
  std::string display_name;  ///< for people and metrics: then with the address behind it, `NAME/ADDRESS`
  std::string host, zone;
  std::shared_ptr<HealthVerdict> verdict;  ///< null: no node-level probe
};

/// An address that serves. Immutable but for what it points at: when discovery says something new of an address, there
/// is a new Endpoint with the same index, verdict and passive health.
struct Endpoint {
  std::uint64_t id = 0;     ///< of this address in this service, as long as it is known; never used again
  std::uint32_t index = 0;  ///< dense within the service: per-worker tables are arrays; used again once it has gone
  std::string name;
  conf::Address address;
  std::string address_text;
  std::string host_name;     ///< that the address was found by; empty: it was given itself
  std::uint32_t weight = 1;  ///< configured: the endpoint's times its node's
  double node_share = 1;     ///< of its node's weight, when a probe of the node gives that; all endpoints' sum is 1
  unsigned priority = 0;
  std::string zone;
  std::vector<std::string> for_zones, for_nodes;  ///< hints; its own zone and node if none are configured
  bool serving = true, terminating = false;
  std::shared_ptr<const Node> node;                     ///< null: of no node
  std::shared_ptr<HealthVerdict> verdict;               ///< null: no probe of its own
  std::shared_ptr<HealthVerdict> tracked_node;          ///< of the node of whom it tracks, beside that one's own
  std::shared_ptr<PassiveHealth> passive;               ///< never null
  std::chrono::system_clock::time_point known_since{};  ///< {}: from the beginning, which is no reason to start slowly

  // Control thread only.
  /// The worse of its node's and its own probe's; draining when it terminates, unhealthy when it is ejected; healthy
  /// when there is no probe.
  HealthState state() const;
  /// The same from the probes alone: what a terminating endpoint is judged by (KEP-1669).
  HealthState probed_state() const;
  /// Of its node's probe, or of that of the node of whom it tracks; null: there is none.
  const std::shared_ptr<HealthVerdict>& node_verdict() const {
    return node && node->verdict ? node->verdict : tracked_node;
  }
  /// Why it is in that state, for people; empty: there is no probe.
  std::string reason() const;
  /// Since when it is in it; {}: from the beginning.
  std::chrono::system_clock::time_point since() const;
  /// When it came, or came back, for slow start; {}: it was there from the beginning.
  std::chrono::system_clock::time_point came() const;
  /// The configured weight, or with `from_probe` what the node (or the endpoint itself, if its own probe decides) said
  /// of it last. 0: gets no traffic; a configured 0 stands whatever a probe says.
  double effective_weight(bool from_probe) const;
};

/// Who serves for one service, at one time.
struct EndpointSet {
  std::vector<std::shared_ptr<const Node>> nodes;
  std::vector<std::shared_ptr<const Endpoint>> endpoints;  ///< in the order of the configuration
  std::uint32_t index_limit = 0;                           ///< Endpoint::index is below it
  /// Endpoint::index by AffinityTable::Ticket; empty: the service has no session affinity.
  std::unordered_map<std::uint32_t, std::uint32_t> by_ticket;
};

}  // namespace telltale::proxy
