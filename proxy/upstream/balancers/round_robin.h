#pragma once

#include "proxy/upstream/balancer.h"
#include "proxy/upstream/balancers/edf_schedule.h"

#include <cstdint>
#include <vector>

namespace telltale::proxy {

/// Weighted round robin: a plain rotation while all weights are equal, O(1); earliest deadline first otherwise, O(log
/// n).
class RoundRobin final : public Balancer {
 public:
  RoundRobin(const Service& service, std::uint32_t seed);
  const Endpoint* pick(std::span<const Endpoint* const> tried) override;

 private:
  void rebuild();
  void collect(HealthState state);
  const Endpoint* rotate(std::span<const Endpoint* const> tried);

  const Service& service_;
  const bool weight_from_probe_;
  std::uint64_t built_version_ = 0;  // Service::version() begins at 1
  double phase_;
  std::size_t cursor_;
  bool equal_weights_ = true;
  std::vector<const Endpoint*> eligible_;
  std::vector<double> weights_;  // of eligible_
  EdfSchedule schedule_;
};

}  // namespace telltale::proxy
