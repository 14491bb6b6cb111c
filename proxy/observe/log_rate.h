#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace telltale::proxy {

/// Lets one message of a kind through in each interval and counts those that it holds back: what peers can cause must
/// not fill the log. One thread; the time is the caller's.
class LogRate {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds interval{10};

  /// nullopt: hold this one back. Else how many were since the last that went through.
  std::optional<std::uint64_t> admit(Clock::time_point now) {
    if (now < next_) {
      ++held_back_;
      return std::nullopt;
    }
    next_ = now + interval;
    const std::uint64_t held_back = held_back_;
    held_back_ = 0;
    return held_back;
  }

 private:
  Clock::time_point next_ = Clock::time_point::min();
  std::uint64_t held_back_ = 0;
};

/// What the line that was let through says of those: ` (and 3 more like it since the last such line)`; nothing for
/// none.
inline std::string and_held_back(std::uint64_t held_back) {
  if (held_back == 0) return {};
  return " (and " + std::to_string(held_back) + " more like it since the last such line)";
}

}  // namespace telltale::proxy
