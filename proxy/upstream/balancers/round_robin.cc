#include "proxy/upstream/balancers/round_robin.h"

#include "proxy/upstream/balancers/candidates.h"
#include "proxy/upstream/balancers/hash.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace telltale::proxy {
namespace {

/// The first turn is drawn by weight. That of the earliest of random phases would be a heavy class' too often, which
/// shows when balancers are made anew after a few picks.
EdfSchedule make_schedule(std::span<const RoundRobin::Plan::Class> classes, RandomSource random) {
  std::vector<EdfSchedule::Item> items;
  double sum = 0;
  for (const auto& each : classes) {
    items.push_back({each.weight, unit_interval(random.next())});
    sum += each.weight;
  }
  double drawn = unit_interval(random.next()) * sum;
  auto first = items.begin();
  while (first + 1 != items.end() && drawn >= first->weight) drawn -= first++->weight;
  first->phase = 0;
  return EdfSchedule(items);
}

}  // namespace

RoundRobin::Plan::Plan(const conf::Balance&, std::span<const Candidate> candidates) {
  std::map<int, std::vector<Candidate>, std::greater<>> by_magnitude;
  for (const Candidate& candidate : candidates) by_magnitude[std::ilogb(candidate.weight)].push_back(candidate);
  turns.reserve(candidates.size());
  for (const auto& [magnitude, members] : by_magnitude) {
    double heaviest = 0;
    for (const Candidate& member : members) heaviest = std::max(heaviest, member.weight);
    classes.push_back({static_cast<std::uint32_t>(turns.size()), static_cast<std::uint32_t>(members.size()),
                       sum_of_weights(members)});
    for (const Candidate& member : members) {
      turns.push_back({member.endpoint, static_cast<std::uint32_t>((1 - member.weight / heaviest) * 0x1p32 + 0.5)});
    }
  }
}

RoundRobin::RoundRobin(std::shared_ptr<const Plan> plan, std::uint64_t seed)
    : plan_(std::move(plan)), first_tries_(*this, seed), retries_(*this, seed) {}

RoundRobin::Rotation::Rotation(const RoundRobin& of, std::uint64_t seed)
    : schedule(make_schedule(of.plan_->classes, RandomSource(seed))) {
  // Seeds that are near each other begin far apart. Who sits out is no beginning, or the one behind it would be
  // favoured.
  std::uint64_t begin = seed * golden64;
  for (const Plan::Class& each : of.plan_->classes) {
    Cursor cursor = cursor_at(begin, each.size);
    while (of.sits_out(each, cursor)) cursor = cursor_at(begin = mix64(begin + golden64), each.size);
    cursors.push_back(cursor);
  }
}

RoundRobin::Cursor RoundRobin::cursor_at(std::uint64_t bits, std::uint32_t class_size) {
  return {scale(bits, class_size), static_cast<std::uint32_t>(bits)};
}

std::uint32_t RoundRobin::pick(const PickInput& input) {
  Rotation& rotation = input.avoid.empty() ? first_tries_ : retries_;
  const std::size_t which = rotation.schedule.next(
      [&](std::size_t candidate) { return all_avoided(candidate, input.avoid); }, input.avoid.size());
  const bool anyone = input.avoid.empty() || all_avoided(which, input.avoid);
  const Plan::Class& from = plan_->classes[which];
  Cursor& cursor = rotation.cursors[which];
  // Everyone's turn comes in one of two rounds at least, so that this ends: after two steps on average at most.
  for (;;) {
    const Cursor at = cursor;
    if (++cursor.place == from.size) cursor.place = 0, ++cursor.round;
    const std::uint32_t endpoint = plan_->turns[from.begin + at.place].endpoint;
    if (!sits_out(from, at) && (anyone || !contains(input.avoid, endpoint))) return endpoint;
  }
}

/// A number that grows by `sits_out` each round, from a start of each place's own, overflows in the rounds that are sat
/// out: evenly spread.
bool RoundRobin::sits_out(const Plan::Class& of, Cursor at) const {
  const std::uint32_t step = plan_->turns[of.begin + at.place].sits_out;
  const auto start = static_cast<std::uint32_t>((at.place + 1) * (golden64 >> 32));
  return start + at.round * step > UINT32_MAX - step;
}

bool RoundRobin::all_avoided(std::size_t which, std::span<const std::uint32_t> avoid) const {
  const Plan::Class& from = plan_->classes[which];
  if (from.size > avoid.size()) return false;
  const auto begin = plan_->turns.begin() + from.begin;
  return std::all_of(begin, begin + from.size, [&](const Plan::Turn& turn) { return contains(avoid, turn.endpoint); });
}

}  // namespace telltale::proxy
