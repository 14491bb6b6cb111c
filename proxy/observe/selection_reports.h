#pragma once

#include "proxy/health/schedule.h"
#include "proxy/upstream/selection.h"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::proxy {

/// When it is worth a line in the log who serves for a service: when Selection::reason is another one than the last
/// line said, at once, but no more than `burst` times in `window`; then the window's end says what it came to. While a
/// service settles at the start that is not said either, only what it came to. Pure: the time is given.
class SelectionReports {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr unsigned burst = 4;
  static constexpr std::chrono::seconds window{10};
  static constexpr std::chrono::seconds settling{2};

  /// Each item, a service's one kind of traffic, is taken for `fit` before.
  SelectionReports(std::size_t items, Time now);

  /// Whether to say it now.
  bool changed(std::size_t item, SelectionReason reason, Time now);
  /// One that was held back and is to be said now. nullopt: none.
  std::optional<std::size_t> pop_due(Time now);
  Time next() const { return held_back_.next(); }

 private:
  struct Item {
    SelectionReason said = SelectionReason::fit, is = SelectionReason::fit;
    Time window_ends{};
    unsigned left = 0;  // lines, in this window
  };
  std::vector<Item> items_;
  Schedule held_back_;
};

/// What the line says. `which`: `service shop`; `states`: of its endpoints, `2 unhealthy, 1 draining`; empty: it has
/// none.
std::string selection_text(std::string_view which, SelectionReason reason, std::string_view states);

}  // namespace telltale::proxy
