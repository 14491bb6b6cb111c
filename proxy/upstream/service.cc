#include "proxy/upstream/service.h"

#include <utility>

namespace telltale::proxy {
namespace {

/// How far a state is from serving.
int severity(HealthState state) {
  switch (state) {
    case HealthState::healthy:
      return 0;
    case HealthState::unknown:
      return 1;
    case HealthState::draining:
      return 2;
    case HealthState::unhealthy:
      return 3;
  }
  return 3;
}

HealthState state_of(const std::shared_ptr<HealthVerdict>& verdict) {
  return verdict ? verdict->state() : HealthState::healthy;
}

}  // namespace

std::string_view to_string(HealthState state) {
  switch (state) {
    case HealthState::unknown:
      return "unknown";
    case HealthState::healthy:
      return "healthy";
    case HealthState::draining:
      return "draining";
    case HealthState::unhealthy:
      return "unhealthy";
  }
  return "unknown";
}

void HealthVerdict::set(HealthState state, std::string reason, std::chrono::system_clock::time_point now) {
  reason_ = std::move(reason);
  since_ = now;
  state_.store(state, std::memory_order_release);
}

HealthState Endpoint::state() const {
  const HealthState own = state_of(verdict);
  const HealthState nodes = node ? state_of(node->verdict) : HealthState::healthy;
  return severity(own) >= severity(nodes) ? own : nodes;
}

double Endpoint::effective_weight(bool from_probe) const {
  if (weight == 0) return 0;
  if (from_probe) {
    if (node && node->verdict) {
      if (const auto said = node->verdict->weight(); said >= 0) return said * node_share;
    } else if (verdict) {
      if (const auto said = verdict->weight(); said >= 0) return said;
    }
  }
  return weight;
}

}  // namespace telltale::proxy
