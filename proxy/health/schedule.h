#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace telltale::proxy {

/// When each of some items is due next: one time an item, in one heap, so that ten thousand need one timer. Moving an
/// item to a later time costs nothing until the old time comes. Pure: the time is given.
class Schedule {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Schedule(std::size_t items = 0) : items_(items) {}

  /// Further items; an item that is not needed any more may be another one's, once cleared.
  void grow(std::size_t items) { items_.resize(std::max(items, items_.size())); }
  /// Makes `item` due at `when` instead of whenever it was.
  void set(std::size_t item, Time when);
  void clear(std::size_t item) { items_[item].due = Time::max(); }

  /// When to look again: not after the first item is due (maybe before). Time::max(): nothing is to come.
  Time next() const { return heap_.empty() ? Time::max() : heap_.front().when; }

  /// An item that is due; it is cleared by that.
  std::optional<std::size_t> pop_due(Time now);

 private:
  struct Item {
    Time due = Time::max();
    Time queued = Time::max();  // the earliest heap entry of it
  };
  struct Entry {
    Time when;
    std::size_t item;
  };
  void push(std::size_t item, Time when);

  std::vector<Item> items_;
  std::vector<Entry> heap_;
};

}  // namespace telltale::proxy
