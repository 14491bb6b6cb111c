#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace telltale::proxy {

/// Which endpoint a client had last, for session affinity: bounded, without a lock, shared by all workers. A cache line
/// holds eight clients whose hashes fall together; the one of them who was away longest makes room. A client is known
/// by 20 bits of its hash and those that choose the line, some 33 by default: two who share them share an endpoint,
/// which does no harm. Times are seconds, of which a slot has room for twelve days' worth: who comes back exactly that
/// later may still be known. Any thread.
///
/// What is remembered is the endpoint's ticket, the low 24 bits of its Endpoint::id, and not its index, which another
/// endpoint has once this one has gone. A ticket comes again after 16 million endpoints of the service: no client is
/// remembered for that long.
class AffinityTable {
 public:
  using Clock = std::chrono::steady_clock;
  using Ticket = std::uint32_t;
  static constexpr unsigned ticket_bits = 24;
  static Ticket ticket_of(std::uint64_t endpoint_id) { return endpoint_id & ((Ticket{1} << ticket_bits) - 1); }

  /// `max_clients` is rounded up to a power of two, at least eight; 8 octets each. `timeout` up to a day, in whole
  /// seconds.
  AffinityTable(std::uint32_t max_clients, std::chrono::milliseconds timeout);

  /// The endpoint; nullopt: not known, or away for longer than the timeout. It counts as a use.
  std::optional<Ticket> find(std::uint64_t client, Clock::time_point now);
  /// Puts it down. If another thread was faster, what that one put down stands, and is returned.
  Ticket put(std::uint64_t client, Ticket endpoint, Clock::time_point now);
  /// Instead of `before`, which is no longer ready. Returns what stands.
  Ticket replace(std::uint64_t client, Ticket before, Ticket endpoint, Clock::time_point now);

 private:
  static constexpr std::size_t slots_per_line = 8;
  struct alignas(64) Line {
    std::atomic<std::uint64_t> slots[slots_per_line] = {};  // tag, endpoint, time of the last use
  };
  Line& line_of(std::uint64_t client) { return lines_[client & mask_]; }

  std::unique_ptr<Line[]> lines_;
  std::size_t mask_;
  std::int32_t timeout_seconds_;
};

}  // namespace telltale::proxy
