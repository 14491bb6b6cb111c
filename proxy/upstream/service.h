#pragma once

#include "conf/model.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::proxy {

/// health.md, "States".
enum class HealthState : std::uint8_t { unknown, healthy, draining, unhealthy };
std::string_view to_string(HealthState state);

/// One probe target's verdict, shared by every endpoint and service that names the same probe. Written by the control
/// thread, read by the workers without a lock.
class HealthVerdict {
 public:
  HealthState state() const { return state_.load(std::memory_order_acquire); }
  /// X-Load-Balancing-Endpoint-Weight of the last probe; -1: none came.
  std::int32_t weight() const { return weight_.load(std::memory_order_relaxed); }

  // Control thread only.
  void set(HealthState state, std::string reason, std::chrono::system_clock::time_point now);
  void set_weight(std::int32_t weight) { weight_.store(weight, std::memory_order_relaxed); }
  /// What the last probe said, when it said it with the state unchanged: since() stays.
  void set_reason(std::string reason) { reason_ = std::move(reason); }
  const std::string& reason() const { return reason_; }
  std::chrono::system_clock::time_point since() const { return since_; }

 private:
  std::atomic<HealthState> state_{HealthState::unknown};
  std::atomic<std::int32_t> weight_{-1};
  std::string reason_ = "not probed yet";
  std::chrono::system_clock::time_point since_{};
};

struct Node {
  std::string name, host, zone;
  std::shared_ptr<HealthVerdict> verdict;  ///< null: no node-level probe
};

/// An address that serves. Immutable but for the verdicts it points at.
struct Endpoint {
  std::size_t index = 0;  ///< dense, unique over all services of a snapshot: per-worker tables are arrays
  std::string name;
  conf::Address address;
  std::string address_text;
  std::uint32_t weight = 1;  ///< configured: the endpoint's times its node's
  double node_share = 1;     ///< of its node's weight, when a probe of the node gives that; all endpoints' sum is 1
  const Node* node = nullptr;
  std::shared_ptr<HealthVerdict> verdict;  ///< null: no probe of its own

  /// Serves only if its node *and* its own probe allow it: the worse of the two; healthy when there is no probe.
  HealthState state() const;
  /// The configured weight, or with `from_probe` what the node (or the endpoint itself, if its own probe decides) said
  /// of it last. 0: gets no traffic; a configured 0 stands whatever a probe says.
  double effective_weight(bool from_probe) const;
};

/// What a route names. Immutable; workers share it. `version()` moves when any verdict of it changed, so that balancers
/// rebuild their lists only then.
class Service {
 public:
  Service(const conf::Service& conf, std::size_t index) : conf_(conf), index_(index) {}

  const conf::Service& conf() const { return conf_; }
  const std::string& name() const { return conf_.name; }
  std::size_t index() const { return index_; }
  const std::vector<std::unique_ptr<Endpoint>>& endpoints() const { return endpoints_; }
  const std::vector<std::unique_ptr<Node>>& nodes() const { return nodes_; }
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  void bump_version() { version_.fetch_add(1, std::memory_order_acq_rel); }

 private:
  friend class ServiceBuilder;
  conf::Service conf_;
  std::size_t index_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::atomic<std::uint64_t> version_{1};
};

}  // namespace telltale::proxy
