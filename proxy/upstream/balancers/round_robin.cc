#include "proxy/upstream/balancers/round_robin.h"

#include <algorithm>

namespace telltale::proxy {
namespace {

bool contains(std::span<const Endpoint* const> endpoints, const Endpoint* endpoint) {
  return std::find(endpoints.begin(), endpoints.end(), endpoint) != endpoints.end();
}

/// Irrational, so that no two rebuilds start with the same endpoint: a flapping one must not favour another.
constexpr double phase_step = 0.7548776662466927;

}  // namespace

RoundRobin::RoundRobin(const Service& service, std::uint32_t seed)
    : service_(service),
      weight_from_probe_(service.conf().health && service.conf().health->weight_from_probe),
      phase_(seed * phase_step),
      cursor_(seed) {
  eligible_.reserve(service.endpoints().size());
  weights_.reserve(service.endpoints().size());
  schedule_.reserve(service.endpoints().size());
}

const Endpoint* RoundRobin::pick(std::span<const Endpoint* const> tried) {
  if (service_.version() != built_version_) rebuild();
  if (eligible_.empty()) return nullptr;
  if (equal_weights_) return rotate(tried);
  return eligible_[schedule_.next([&](std::size_t item) { return contains(tried, eligible_[item]); }, tried.size())];
}

const Endpoint* RoundRobin::rotate(std::span<const Endpoint* const> tried) {
  const std::size_t start = cursor_;
  std::size_t at = start;
  for (std::size_t skipped = 0; skipped < tried.size() && contains(tried, eligible_[at]); ++skipped) {
    if (++at == eligible_.size()) at = 0;
    if (at == start) break;
  }
  cursor_ = at + 1 == eligible_.size() ? 0 : at + 1;
  return eligible_[at];
}

void RoundRobin::rebuild() {
  // Read before the states are: a change in between moves it once more.
  built_version_ = service_.version();
  collect(HealthState::healthy);
  if (eligible_.empty()) collect(HealthState::unknown);
  if (eligible_.empty()) return;
  cursor_ %= eligible_.size();
  equal_weights_ = std::all_of(weights_.begin(), weights_.end(), [this](double w) { return w == weights_.front(); });
  phase_ += phase_step;
  if (!equal_weights_) schedule_.assign(weights_, phase_);
}

void RoundRobin::collect(HealthState state) {
  eligible_.clear();
  weights_.clear();
  for (const auto& endpoint : service_.endpoints()) {
    if (endpoint->state() != state) continue;
    const double weight = endpoint->effective_weight(weight_from_probe_);
    if (weight <= 0) continue;
    eligible_.push_back(endpoint.get());
    weights_.push_back(weight);
  }
}

}  // namespace telltale::proxy
