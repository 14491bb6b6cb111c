#pragma once

#include "proxy/upstream/balancer.h"
#include "proxy/upstream/balancers/hash.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace telltale::proxy {

/// Candidates to be drawn at random, each as often as its weight says: Walker's alias method, set up as by Vose, O(1) a
/// draw. 16 octets a candidate. Immutable: workers share one.
class Lottery {
 public:
  explicit Lottery(std::span<const Candidate> candidates);

  /// A candidate's place.
  std::size_t draw(RandomSource& random) const;
  /// One that is not avoided, if there is one.
  std::size_t draw(RandomSource& random, std::span<const std::uint32_t> avoid) const;
  /// One at another place, if there is one.
  std::size_t draw_besides(RandomSource& random, std::size_t place) const;

  std::uint32_t endpoint(std::size_t place) const { return tickets_[place].endpoint; }
  double weight(std::size_t place) const { return tickets_[place].weight; }

 private:
  /// All are drawn equally often; whoever is drawn passes on to `other` what is more than its share.
  struct Ticket {
    std::uint32_t endpoint;
    float weight;
    std::uint32_t keep = UINT32_MAX;  // of 2^32 draws, less one
    std::uint32_t other = 0;          // a place
  };
  static constexpr int tries = 4;  // before a draw is replaced by looking round

  std::uint32_t size() const { return static_cast<std::uint32_t>(tickets_.size()); }

  std::vector<Ticket> tickets_;
};

}  // namespace telltale::proxy
