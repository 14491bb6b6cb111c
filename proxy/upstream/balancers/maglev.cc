#include "proxy/upstream/balancers/maglev.h"

#include "proxy/upstream/balancers/edf_schedule.h"
#include "proxy/upstream/balancers/hash.h"

#include <algorithm>

namespace telltale::proxy {
namespace {

bool is_prime(std::uint32_t n) {
  if (n < 4 || n % 2 == 0) return n == 2 || n == 3;
  for (std::uint64_t d = 3; d * d <= n; d += 2) {
    if (n % d == 0) return false;
  }
  return true;
}

std::uint32_t table_size(std::uint32_t wanted, std::size_t candidates) {
  std::uint64_t size = std::max(wanted, 2u);
  while (size < 4 * candidates) size *= 8;
  while (!is_prime(static_cast<std::uint32_t>(size))) ++size;
  return static_cast<std::uint32_t>(size);
}

/// Every entry of the table once, in an order of the candidate's own.
class Permutation {
 public:
  Permutation(std::uint64_t key, std::uint32_t table_size)
      : at_(scale(mix64(key + golden64), table_size)), step_(1 + scale(mix64(key + 2 * golden64), table_size - 1)) {}
  std::uint32_t next(std::uint32_t table_size) {
    const std::uint32_t at = at_;
    at_ = at_ < table_size - step_ ? at_ + step_ : at_ - (table_size - step_);
    return at;
  }

 private:
  std::uint32_t at_, step_;
};

/// Whose turn it is to take an entry, by weight. When a candidate's first turn comes depends on its key alone, so that
/// who comes or leaves does not change the order of the others. Who is so light that the table could be full before,
/// comes while there is room.
EdfSchedule turns(const std::vector<Candidate>& sorted, std::uint32_t table_size) {
  const auto lighter = [](const Candidate& a, const Candidate& b) { return a.weight < b.weight; };
  const double heaviest = std::max_element(sorted.begin(), sorted.end(), lighter)->weight;
  // In turns of the heaviest. Those who come early leave three quarters of the entries at least.
  const double latest = 0.75 * table_size * heaviest / sum_of_weights(sorted);
  std::vector<EdfSchedule::Item> items;
  items.reserve(sorted.size());
  for (const Candidate& candidate : sorted) {
    const double phase = unit_interval(mix64(candidate.key + 3 * golden64));
    items.push_back({candidate.weight, phase * std::min(1.0, latest * candidate.weight / heaviest)});
  }
  return EdfSchedule(items);
}

}  // namespace

Maglev::Table::Table(const conf::Balance& balance, std::span<const Candidate> candidates)
    : Table(table_size(balance.table_size, candidates.size()), sorted_by_key(candidates)) {}

Maglev::Table::Table(std::uint32_t size, const std::vector<Candidate>& sorted) : entries_(size), last_resort_(sorted) {
  fill(sorted);
}

void Maglev::Table::fill(const std::vector<Candidate>& sorted) {
  const auto size = static_cast<std::uint32_t>(entries_.size());
  std::vector<Permutation> permutations;
  permutations.reserve(sorted.size());
  for (const Candidate& candidate : sorted) permutations.emplace_back(candidate.key, size);
  EdfSchedule schedule = turns(sorted, size);
  std::vector<bool> taken(size);  // bits: they stay in the nearest cache
  for (std::uint32_t filled = 0; filled < size; ++filled) {
    const std::size_t item = schedule.next();
    std::uint32_t entry = permutations[item].next(size);
    while (taken[entry]) entry = permutations[item].next(size);
    taken[entry] = true;
    entries_[entry] = sorted[item].endpoint;
  }
}

std::uint32_t Maglev::Table::lookup(std::uint64_t hash) const {
  return entries_[scale(hash, static_cast<std::uint32_t>(entries_.size()))];
}

std::uint32_t Maglev::pick(const PickInput& input) {
  std::uint32_t endpoint = table_->lookup(input.hash);
  if (!contains(input.avoid, endpoint)) return endpoint;
  // The same detour in every process. Bounded: avoided ones may fill most of the table.
  constexpr std::uint64_t detours = 8;
  for (std::uint64_t detour = 1; detour <= detours; ++detour) {
    endpoint = table_->lookup(mix64(input.hash + detour * golden64));
    if (!contains(input.avoid, endpoint)) return endpoint;
  }
  return table_->last_resort().pick(input);
}

}  // namespace telltale::proxy
