#include "proxy/upstream/affinity_table.h"

#include <algorithm>
#include <bit>

namespace telltale::proxy {
namespace {

constexpr unsigned time_bits = 20, ticket_bits = AffinityTable::ticket_bits;
constexpr std::uint32_t time_mask = (1U << time_bits) - 1;

/// What a slot holds. An empty one is all zeros, which no client's is: its tag is never 0.
struct Slot {
  std::uint32_t tag, endpoint, tick;

  static Slot unpack(std::uint64_t bits) {
    return {static_cast<std::uint32_t>(bits >> (time_bits + ticket_bits)),
            static_cast<std::uint32_t>(bits >> time_bits) & ((1U << ticket_bits) - 1),
            static_cast<std::uint32_t>(bits) & time_mask};
  }
  std::uint64_t pack() const {
    return std::uint64_t{tag} << (time_bits + ticket_bits) | std::uint64_t{endpoint} << time_bits | tick;
  }
};

std::uint32_t tag_of(std::uint64_t client) {
  return std::max(1u, static_cast<std::uint32_t>(client >> (time_bits + ticket_bits)));
}

std::uint32_t tick_of(AffinityTable::Clock::time_point now) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  return static_cast<std::uint32_t>(seconds) & time_mask;
}

/// Seconds from `then` to `now`; below 0 if a thread whose clock is a little ahead wrote it.
std::int32_t age(std::uint32_t then, std::uint32_t now) {
  constexpr std::uint32_t ahead = 60;
  return static_cast<std::int32_t>((now - then + ahead) & time_mask) - static_cast<std::int32_t>(ahead);
}

/// Of the two, the later: what a slot says never goes back, which put() relies on.
std::uint32_t later(std::uint32_t a, std::uint32_t b) { return age(a, b) > 0 ? b : a; }

}  // namespace

AffinityTable::AffinityTable(std::uint32_t max_clients, std::chrono::milliseconds timeout) {
  const std::size_t lines = std::bit_ceil(std::max<std::size_t>(max_clients, slots_per_line)) / slots_per_line;
  lines_ = std::make_unique<Line[]>(lines);
  mask_ = lines - 1;
  timeout_seconds_ = static_cast<std::int32_t>(std::chrono::ceil<std::chrono::seconds>(timeout).count());
}

// Every slot is one number that says all: nothing else is read because of it, so the order of accesses does not matter.

std::optional<AffinityTable::Ticket> AffinityTable::find(std::uint64_t client, Clock::time_point now) {
  const std::uint32_t tag = tag_of(client), tick = tick_of(now);
  for (std::atomic<std::uint64_t>& slot : line_of(client).slots) {
    std::uint64_t bits = slot.load(std::memory_order_relaxed);
    for (;;) {
      Slot found = Slot::unpack(bits);
      if (found.tag != tag) break;
      const std::int32_t away = age(found.tick, tick);
      if (away > timeout_seconds_) return std::nullopt;
      if (away <= 0) return found.endpoint;  // no write while the second lasts: workers share the line
      found.tick = tick;
      if (slot.compare_exchange_weak(bits, found.pack(), std::memory_order_relaxed)) return found.endpoint;
    }
  }
  return std::nullopt;
}

// Two threads that put the same client agree. Both look for the slot that was used longest ago, the first of those that
// are equal; times in slots only grow; and neither succeeds if its slot changed since it looked. Had they succeeded in
// two different slots, each of the two would have been older than the other.
AffinityTable::Ticket AffinityTable::put(std::uint64_t client, Ticket endpoint, Clock::time_point now) {
  const std::uint32_t tag = tag_of(client), tick = tick_of(now);
  for (;;) {
    std::atomic<std::uint64_t>* oldest = nullptr;
    std::uint64_t seen = 0;
    std::int32_t longest = 0;
    for (std::atomic<std::uint64_t>& slot : line_of(client).slots) {
      const std::uint64_t bits = slot.load(std::memory_order_relaxed);
      const Slot found = Slot::unpack(bits);
      std::int32_t away = bits == 0 ? INT32_MAX : age(found.tick, tick);
      if (found.tag == tag) {
        if (away <= timeout_seconds_) return found.endpoint;
        oldest = nullptr;  // its own, expired
        away = INT32_MAX;
      }
      if (oldest && away <= longest) continue;
      oldest = &slot, seen = bits, longest = away;
      if (found.tag == tag) break;
    }
    const Slot mine{tag, endpoint, seen == 0 ? tick : later(Slot::unpack(seen).tick, tick)};
    if (oldest->compare_exchange_strong(seen, mine.pack(), std::memory_order_relaxed)) return endpoint;
  }
}

AffinityTable::Ticket AffinityTable::replace(std::uint64_t client, Ticket before, Ticket endpoint,
                                             Clock::time_point now) {
  const std::uint32_t tag = tag_of(client), tick = tick_of(now);
  for (std::atomic<std::uint64_t>& slot : line_of(client).slots) {
    std::uint64_t bits = slot.load(std::memory_order_relaxed);
    for (;;) {
      const Slot found = Slot::unpack(bits);
      if (found.tag != tag) break;
      if (found.endpoint != before && age(found.tick, tick) <= timeout_seconds_) return found.endpoint;
      const Slot mine{tag, endpoint, later(found.tick, tick)};
      if (slot.compare_exchange_weak(bits, mine.pack(), std::memory_order_relaxed)) return endpoint;
    }
  }
  return put(client, endpoint, now);
}

}  // namespace telltale::proxy
