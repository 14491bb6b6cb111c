#include "proxy/upstream/balancers/ring_hash.h"

#include "proxy/upstream/balancers/hash.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace telltale::proxy {
namespace {

std::uint32_t position_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

/// As long as there are few candidates, who comes or leaves does not change how many points the others have, and so
/// moves nobody else's hashes.
double points_of_mean_weight(std::uint32_t table_size, std::size_t candidates) {
  constexpr double few = 64;
  return std::max(4.0, table_size / std::max(few, static_cast<double>(candidates)));
}

}  // namespace

RingHash::Ring::Ring(const conf::Balance& balance, std::span<const Candidate> candidates)
    : Ring(points_of_mean_weight(balance.table_size, candidates.size()), sorted_by_key(candidates)) {}

RingHash::Ring::Ring(double points_of_mean, const std::vector<Candidate>& sorted) : last_resort_(sorted) {
  const auto count = static_cast<double>(sorted.size());
  const double mean = sum_of_weights(sorted) / count;
  std::vector<Point> scattered;
  scattered.reserve(static_cast<std::size_t>((points_of_mean + 1) * count));
  for (const Candidate& candidate : sorted) {
    // A candidate that gets more points keeps those it had.
    const double points = std::max(1.0, std::round(candidate.weight / mean * points_of_mean));
    RandomSource positions(candidate.key);
    for (double i = 0; i < points; ++i) scattered.push_back({position_of(positions.next()), candidate.endpoint});
  }
  arrange(scattered);
}

// Sorting by counting. An arc has 8 to 16 points, a cache line or two, and so the index is small enough to stay in the
// cache: with as many arcs as points a lookup waits for memory twice.
void RingHash::Ring::arrange(const std::vector<Point>& scattered) {
  const std::size_t arcs = std::bit_ceil((scattered.size() + 15) / 16);
  shift_ = 32 - static_cast<unsigned>(std::countr_zero(arcs));
  arc_begins_.assign(arcs + 1, 0);
  for (const Point& point : scattered) ++arc_begins_[arc_of(point.position) + 1];
  for (std::size_t arc = 0; arc < arcs; ++arc) arc_begins_[arc + 1] += arc_begins_[arc];
  points_.resize(scattered.size());
  std::vector<std::uint32_t> ends(arc_begins_.begin(), arc_begins_.end() - 1);
  for (const Point& point : scattered) {
    const std::size_t arc = arc_of(point.position);
    // Those at the same position stay in the order of the keys.
    std::uint32_t place = ends[arc]++;
    for (; place > arc_begins_[arc] && points_[place - 1].position > point.position; --place) {
      points_[place] = points_[place - 1];
    }
    points_[place] = point;
  }
}

std::size_t RingHash::Ring::lookup(std::uint64_t hash) const {
  const std::uint32_t position = position_of(hash);
  std::size_t place = arc_begins_[arc_of(position)];
  while (place < points_.size() && points_[place].position < position) ++place;
  return place < points_.size() ? place : 0;
}

std::uint32_t RingHash::pick(const PickInput& input) {
  std::size_t place = ring_->lookup(input.hash);
  // Bounded: avoided ones may have most of the points.
  constexpr int most_points = 32;
  for (int i = 0; i < most_points; ++i) {
    const std::uint32_t endpoint = ring_->endpoint(place);
    if (!contains(input.avoid, endpoint)) return endpoint;
    place = ring_->after(place);
  }
  return ring_->last_resort().pick(input);
}

}  // namespace telltale::proxy
