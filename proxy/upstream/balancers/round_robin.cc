#include "proxy/upstream/balancers/round_robin.h"

#include "proxy/upstream/balancers/candidates.h"
#include "proxy/upstream/balancers/hash.h"

#include <algorithm>
#include <cmath>

namespace telltale::proxy {
namespace {

EdfSchedule make_schedule(std::span<const RoundRobin::Plan::Class> classes, std::uint64_t phase) {
  std::vector<EdfSchedule::Item> items;
  for (const auto& each : classes) items.push_back({each.weight, unit_interval(phase += golden64)});
  return EdfSchedule(items);
}

}  // namespace

RoundRobin::Plan::Plan(const conf::Balance&, std::span<const Candidate> candidates) {
  std::vector<Candidate> sorted(candidates.begin(), candidates.end());
  // Stable: equal weights rotate in the order in which they came.
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Candidate& a, const Candidate& b) { return std::ilogb(a.weight) > std::ilogb(b.weight); });
  turns.reserve(sorted.size());
  for (auto at = sorted.begin(); at != sorted.end();) {
    const auto end = std::find_if(at, sorted.end(), [magnitude = std::ilogb(at->weight)](const Candidate& candidate) {
      return std::ilogb(candidate.weight) != magnitude;
    });
    const double heaviest =
        std::max_element(at, end, [](const Candidate& a, const Candidate& b) { return a.weight < b.weight; })->weight;
    classes.push_back(
        {static_cast<std::uint32_t>(turns.size()), static_cast<std::uint32_t>(end - at), sum_of_weights({at, end})});
    for (; at != end; ++at) {
      turns.push_back({at->endpoint, static_cast<std::uint32_t>(std::lround((1 - at->weight / heaviest) * 0x1p32))});
    }
  }
}

RoundRobin::RoundRobin(std::shared_ptr<const Plan> plan, std::uint64_t seed)
    : plan_(std::move(plan)), schedule_(make_schedule(plan_->classes, mix64(seed))) {
  for (const Plan::Class& each : plan_->classes) {
    cursors_.push_back({static_cast<std::uint32_t>(seed % each.size), static_cast<std::uint32_t>(mix64(seed))});
  }
}

std::uint32_t RoundRobin::pick(const PickInput& input) {
  const std::size_t which =
      schedule_.next([&](std::size_t candidate) { return all_avoided(candidate, input.avoid); }, input.avoid.size());
  const bool anyone = input.avoid.empty() || all_avoided(which, input.avoid);
  const Plan::Class& from = plan_->classes[which];
  Cursor& cursor = cursors_[which];
  // Everyone's turn comes in one of two rounds at least, so that this ends; in 1.4 steps on average.
  for (;;) {
    const std::uint32_t place = cursor.place, round = cursor.round;
    if (++cursor.place == from.size) cursor.place = 0, ++cursor.round;
    const Plan::Turn& turn = plan_->turns[from.begin + place];
    // A multiple for each round, from a start of its own: it overflows in the rounds that are sat out, evenly spread.
    const auto start = static_cast<std::uint32_t>((place + 1) * (golden64 >> 32));
    const bool sits_out = start + round * turn.sits_out > UINT32_MAX - turn.sits_out;
    if (!sits_out && (anyone || !contains(input.avoid, turn.endpoint))) return turn.endpoint;
  }
}

bool RoundRobin::all_avoided(std::size_t which, std::span<const std::uint32_t> avoid) const {
  const Plan::Class& from = plan_->classes[which];
  if (from.size > avoid.size()) return false;
  const auto begin = plan_->turns.begin() + from.begin;
  return std::all_of(begin, begin + from.size, [&](const Plan::Turn& turn) { return contains(avoid, turn.endpoint); });
}

}  // namespace telltale::proxy
