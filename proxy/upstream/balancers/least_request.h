#pragma once

#include "proxy/upstream/balancers/lottery.h"

#include <memory>
#include <span>
#include <utility>

namespace telltale::proxy {

/// Power of two choices (Mitzenmacher 1996): of two different candidates, drawn by weight, the one that is less busy
/// for its weight. With nothing in flight each gets its share by weight.
class LeastRequest final : public Balancer {
 public:
  /// What workers share.
  struct Table {
    Table(const conf::Balance&, std::span<const Candidate> candidates) : lottery(candidates) {}
    Lottery lottery;
  };

  LeastRequest(std::shared_ptr<const Table> table, std::uint64_t seed) : table_(std::move(table)), random_(seed) {}
  std::uint32_t pick(const PickInput& input) override;

 private:
  std::shared_ptr<const Table> table_;
  RandomSource random_;
};

}  // namespace telltale::proxy
