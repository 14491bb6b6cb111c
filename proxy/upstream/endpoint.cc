#include "proxy/upstream/endpoint.h"

#include <algorithm>
#include <array>
#include <utility>

namespace telltale::proxy {
namespace {

using Time = std::chrono::system_clock::time_point;

constexpr std::array<std::string_view, 4> state_names = {"unknown", "healthy", "draining", "unhealthy"};
// By HealthState: how far each is from serving.
constexpr std::array<int, 4> severities = {1, 0, 2, 3};

/// The worse of an endpoint's two verdicts; of equal ones its own. null: there is none.
const HealthVerdict* deciding(const Endpoint& endpoint) {
  const HealthVerdict* own = endpoint.verdict.get();
  const HealthVerdict* nodes = endpoint.node_verdict().get();
  if (own == nullptr || nodes == nullptr) return own != nullptr ? own : nodes;
  return is_worse(nodes->state(), own->state()) ? nodes : own;
}

}  // namespace

std::string_view to_string(HealthState state) { return state_names[static_cast<std::size_t>(state)]; }

bool is_worse(HealthState a, HealthState b) {
  return severities[static_cast<std::size_t>(a)] > severities[static_cast<std::size_t>(b)];
}

void HealthVerdict::set(HealthState state, std::string reason, Time now) {
  const bool was_probed = since_ != Time{};
  if (state == HealthState::healthy && state_ != HealthState::healthy && was_probed) recovered_ = now;
  state_ = state;
  reason_ = std::move(reason);
  since_ = now;
}

HealthState Endpoint::probed_state() const {
  const HealthVerdict* decides = deciding(*this);
  return decides != nullptr ? decides->state() : HealthState::healthy;
}

HealthState Endpoint::state() const {
  if (passive->ejected || (!serving && !terminating)) return HealthState::unhealthy;
  const HealthState probed = probed_state();
  return terminating && !is_worse(probed, HealthState::draining) ? HealthState::draining : probed;
}

std::string Endpoint::reason() const {
  if (passive->ejected) return "ejected: " + passive->reason;
  if (terminating) return serving ? "terminating" : "terminating, and no longer serving";
  if (!serving) return "not ready";
  const HealthVerdict* decides = deciding(*this);
  if (decides == nullptr) return {};
  return verdict && decides != verdict.get() ? "its node: " + decides->reason() : decides->reason();
}

Time Endpoint::since() const {
  if (passive->ejected) return passive->since;
  if (terminating || !serving) return known_since;
  const HealthVerdict* decides = deciding(*this);
  return decides != nullptr ? decides->since() : known_since;
}

Time Endpoint::came() const {
  Time when = std::max(known_since, passive->recovered);
  for (const HealthVerdict* each : {verdict.get(), node_verdict().get()}) {
    if (each == nullptr) continue;
    when = std::max(when, each->recovered());
    // A new one begins when its first probe succeeds.
    if (known_since != Time{}) when = std::max(when, each->since());
  }
  return when;
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
