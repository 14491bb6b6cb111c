#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace telltale::proxy {

/// Earliest deadline first: item i comes up once in every period of max(weights) / weights[i], so each gets its share,
/// and its turns are spread evenly instead of bunched. O(log n) a turn, no allocation. Not thread safe.
class EdfSchedule {
 public:
  struct Item {
    double weight;  ///< above 0
    double phase;   ///< 0 to 1: how much of its period goes by before its first turn
  };
  explicit EdfSchedule(std::span<const Item> items);

  /// The next item, its turn taken. Not to be called when there is none.
  std::size_t next() {
    return next([](std::size_t) { return false; }, 0);
  }
  /// The next item of which `skip(item)` is false; those skipped keep their turns. When all would be skipped, the next
  /// item. At most `most_skips` are looked past.
  template <class Skip>
  std::size_t next(Skip skip, std::size_t most_skips);

 private:
  /// In virtual time, in which the heaviest item comes up once a unit.
  struct Turn {
    double deadline;
    std::uint32_t item;
  };
  // Four children lie within a cache line or two, and the tree is half as deep as a binary one.
  static constexpr std::size_t arity = 4;

  void sift_down(std::size_t hole, Turn turn, std::size_t size);
  void sift_up(std::size_t hole, Turn turn);

  std::vector<Turn> heap_;
  std::vector<double> periods_;  // by item
};

template <class Skip>
std::size_t EdfSchedule::next(Skip skip, std::size_t most_skips) {
  if (most_skips == 0 || !skip(heap_.front().item)) {
    Turn turn = heap_.front();
    turn.deadline += periods_[turn.item];
    sift_down(0, turn, heap_.size());
    return turn.item;
  }
  // Turns that are taken out wait behind the shrunken heap, in the room it left.
  std::size_t size = heap_.size();
  std::size_t chosen = size - 1;
  bool found = false;
  for (std::size_t skipped = 0; size > 0 && !found && skipped <= most_skips; ++skipped) {
    const Turn earliest = heap_.front();
    --size;
    if (size > 0) sift_down(0, heap_[size], size);
    heap_[size] = earliest;
    found = !skip(earliest.item);
    if (found) chosen = size;
  }
  const std::size_t item = heap_[chosen].item;
  heap_[chosen].deadline += periods_[item];
  for (; size < heap_.size(); ++size) sift_up(size, heap_[size]);
  return item;
}

}  // namespace telltale::proxy
