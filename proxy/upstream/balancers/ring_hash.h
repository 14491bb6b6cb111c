#pragma once

#include "proxy/upstream/balancers/candidates.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace telltale::proxy {

/// Consistent hashing by ring (Karger et al. 1997; ketama): a hash goes to the next point on the ring. Candidates have
/// points in proportion to their weights, at places that depend on their keys alone. Shares are less even than
/// Maglev's: they vary by 1 / sqrt(points of a candidate).
class RingHash final : public Balancer {
 public:
  /// What workers share.
  class Ring {
   public:
    /// About balance.table_size points for 64 candidates or more; fewer candidates have as many each. At least four for
    /// one of mean weight, and one for any.
    Ring(const conf::Balance& balance, std::span<const Candidate> candidates);

    /// The place of the point that the hash goes to. O(1) on average: the ring is cut into arcs of a few points each,
    /// and an index says where each begins.
    std::size_t lookup(std::uint64_t hash) const;
    std::size_t after(std::size_t place) const { return place + 1 == points_.size() ? 0 : place + 1; }
    std::uint32_t endpoint(std::size_t place) const { return points_[place].endpoint; }
    const LastResort& last_resort() const { return last_resort_; }

   private:
    struct Point {
      std::uint32_t position;
      std::uint32_t endpoint;
    };
    Ring(double points_of_mean, const std::vector<Candidate>& sorted);
    void arrange(const std::vector<Point>& scattered);
    std::size_t arc_of(std::uint32_t position) const { return std::size_t{position} >> shift_; }

    std::vector<Point> points_;              // by position
    std::vector<std::uint32_t> arc_begins_;  // by arc, and one for the end
    unsigned shift_ = 32;                    // 64-bit shifts: 32 leaves a single arc
    LastResort last_resort_;
  };

  RingHash(std::shared_ptr<const Ring> ring, std::uint64_t /*seed*/) : ring_(std::move(ring)) {}
  std::uint32_t pick(const PickInput& input) override;

 private:
  std::shared_ptr<const Ring> ring_;
};

}  // namespace telltale::proxy
