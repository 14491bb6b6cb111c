#pragma once

#include "conf/model_service.h"

#include <atomic>
#include <cstdint>
#include <utility>

namespace telltale::proxy {

/// How many there are of something that is limited, counted by several threads without a lock.
class SharedCount {
 public:
  /// One more, unless there are `limit` already. 0: no limit.
  bool take(std::uint32_t limit) {
    std::uint32_t now = value_.load(std::memory_order_relaxed);
    do {
      if (limit != 0 && now >= limit) return false;
    } while (!value_.compare_exchange_weak(now, now + 1, std::memory_order_acq_rel, std::memory_order_relaxed));
    return true;
  }
  void give_back() { value_.fetch_sub(1, std::memory_order_acq_rel); }
  std::uint32_t value() const { return value_.load(std::memory_order_acquire); }
  /// As value(), and in one order with every take(): who took before is seen with all it had done until then, who takes
  /// after sees all that this thread had done.
  std::uint32_t value_in_order() { return value_.fetch_add(0, std::memory_order_acq_rel); }

 private:
  std::atomic<std::uint32_t> value_{0};
};

/// One of a SharedCount, given back when this goes. Empty: nothing is counted.
class Permit {
 public:
  Permit() = default;
  Permit(Permit&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  Permit& operator=(Permit&& other) noexcept {
    std::swap(count_, other.count_);
    return *this;
  }
  ~Permit() { release(); }
  explicit operator bool() const { return count_ != nullptr; }
  /// False: there are `limit` already.
  bool take(SharedCount& count, std::uint32_t limit) {
    if (!count.take(limit)) return false;
    release();
    count_ = &count;
    return true;
  }
  void release() {
    if (count_ != nullptr) std::exchange(count_, nullptr)->give_back();
  }

 private:
  SharedCount* count_ = nullptr;
};

/// What all workers have in use of one service's limits (conf::CircuitBreakers). What has no limit is not counted, and
/// stays 0. Any thread.
struct CircuitBreaker {
  SharedCount connections, pending, requests, retries;
};

/// Whether one more of a worker's requests may be a retry (conf::Retries::budget).
constexpr bool within_budget(const conf::Retries& retries, std::uint64_t retries_in_flight,
                             std::uint64_t requests_in_flight) {
  return retries_in_flight < retries.min_concurrent ||
         (retries_in_flight + 1) * 100 <= requests_in_flight * retries.budget;
}

}  // namespace telltale::proxy
