#include "proxy/upstream/balancers/candidates.h"

#include "proxy/upstream/balancers/hash.h"

#include <numeric>
#include <tuple>

namespace telltale::proxy {

std::vector<Candidate> sorted_by_key(std::span<const Candidate> candidates) {
  std::vector<Candidate> sorted(candidates.begin(), candidates.end());
  std::sort(sorted.begin(), sorted.end(), [](const Candidate& a, const Candidate& b) {
    return std::tie(a.key, a.endpoint) < std::tie(b.key, b.endpoint);
  });
  return sorted;
}

double sum_of_weights(std::span<const Candidate> candidates) {
  return std::accumulate(candidates.begin(), candidates.end(), 0.0,
                         [](double sum, const Candidate& candidate) { return sum + candidate.weight; });
}

LastResort::LastResort(std::span<const Candidate> sorted) {
  endpoints_.reserve(sorted.size());
  for (const Candidate& candidate : sorted) endpoints_.push_back(candidate.endpoint);
}

std::uint32_t LastResort::pick(const PickInput& input) const {
  // Mixed: the endpoints are in the order of hashes, too.
  const std::size_t start = scale(mix64(input.hash), static_cast<std::uint32_t>(endpoints_.size()));
  return endpoints_[first_other(endpoints_.size(), start, input.avoid.size(),
                                [&](std::size_t at) { return contains(input.avoid, endpoints_[at]); })];
}

}  // namespace telltale::proxy
