#pragma once

#include "proxy/upstream/balancers/candidates.h"

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace telltale::proxy {

/// Consistent hashing by table (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI
/// 2016, 3.4): shares are even to an entry of the table, and few hashes move when a candidate comes or leaves.
class Maglev final : public Balancer {
 public:
  /// What workers share.
  class Table {
   public:
    /// Of balance.table_size entries, a prime number; the next prime if it is none. More, in steps of eight times as
    /// many, where candidates would have fewer than four entries each. Each has one, however small its weight.
    Table(const conf::Balance& balance, std::span<const Candidate> candidates);
    std::uint32_t lookup(std::uint64_t hash) const;
    const LastResort& last_resort() const { return last_resort_; }
    std::span<const std::uint32_t> entries() const { return entries_; }

   private:
    Table(std::uint32_t size, const std::vector<Candidate>& sorted);
    void fill(const std::vector<Candidate>& sorted);

    std::vector<std::uint32_t> entries_;  // endpoints
    LastResort last_resort_;
  };

  Maglev(std::shared_ptr<const Table> table, std::uint64_t /*seed*/) : table_(std::move(table)) {}
  std::uint32_t pick(const PickInput& input) override;

 private:
  std::shared_ptr<const Table> table_;
};

}  // namespace telltale::proxy
