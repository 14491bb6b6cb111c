#pragma once

#include "proxy/upstream/balancer.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace telltale::proxy {

/// Few: a request has at most four tries.
inline bool contains(std::span<const std::uint32_t> avoid, std::uint32_t endpoint) {
  return std::find(avoid.begin(), avoid.end(), endpoint) != avoid.end();
}

/// Round the list from `start`, the first of which `avoided` is not true; `start` if it is of all. Looks at no more
/// than one more than `most_avoided` of `size`.
template <class Avoided>
std::size_t first_other(std::size_t size, std::size_t start, std::size_t most_avoided, Avoided avoided) {
  std::size_t at = start;
  for (std::size_t looked = 0; looked <= most_avoided && looked < size; ++looked) {
    if (!avoided(at)) return at;
    if (++at == size) at = 0;
  }
  return start;
}

/// In an order that does not depend on the one in which they came.
std::vector<Candidate> sorted_by_key(std::span<const Candidate> candidates);

double sum_of_weights(std::span<const Candidate> candidates);

/// The endpoints of candidates that are sorted by key: where maglev and ring_hash end when the way that the hash shows
/// leads to avoided ones only.
class LastResort {
 public:
  explicit LastResort(std::span<const Candidate> sorted);
  std::uint32_t pick(const PickInput& input) const;

 private:
  std::vector<std::uint32_t> endpoints_;
};

}  // namespace telltale::proxy
