#pragma once

#include "proxy/upstream/balancers/lottery.h"

#include <memory>
#include <span>
#include <utility>

namespace telltale::proxy {

/// Anyone, each as often as its weight says. Workers and proxies do not fall into step with each other.
class Random final : public Balancer {
 public:
  /// What workers share.
  struct Table {
    Table(const conf::Balance&, std::span<const Candidate> candidates) : lottery(candidates) {}
    Lottery lottery;
  };

  Random(std::shared_ptr<const Table> table, std::uint64_t seed) : table_(std::move(table)), random_(seed) {}
  std::uint32_t pick(const PickInput& input) override;

 private:
  std::shared_ptr<const Table> table_;
  RandomSource random_;
};

}  // namespace telltale::proxy
