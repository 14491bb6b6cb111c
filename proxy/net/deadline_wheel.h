#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace telltale::proxy {

/// Deadlines without timers: an entry stores when it is due, and a wheel of coarse ticks looks at it at the earliest
/// tick it was linked for. Moving a deadline later is a store: the entry is linked again when its old tick comes.
/// Not thread safe.
class DeadlineWheel {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds tick{32};  ///< granularity: a deadline fires at most one tick late
  static constexpr std::size_t slots = 2048;            ///< 65 s; later ones are linked anew on the way

  class Entry {
   public:
    Entry() = default;
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    bool has_deadline() const { return due_ != 0; }

   private:
    friend class DeadlineWheel;
    Entry* previous_ = nullptr;
    Entry* next_ = nullptr;
    std::uint64_t due_ = 0;     // tick; 0: no deadline
    std::uint64_t linked_ = 0;  // tick at which the wheel looks; 0: not linked
  };

  explicit DeadlineWheel(Clock::time_point start) : start_(start) {}

  void set(Entry& entry, Clock::time_point when) {
    const std::uint64_t due = tick_at(when) + 1;
    entry.due_ = due;
    if (entry.linked_ == 0 || due < entry.linked_) relink(entry);
  }
  void clear(Entry& entry) { entry.due_ = 0; }  // unlinked when its tick comes
  void remove(Entry& entry) {
    entry.due_ = 0;
    unlink(entry);
  }

  /// Calls `expired(entry)` for each deadline that has passed; its entry has none afterwards.
  template <typename Function>
  void advance(Clock::time_point now, Function&& expired) {
    const std::uint64_t target = tick_at(now);
    if (count_ == 0) current_ = target;
    while (current_ < target) {
      ++current_;
      const std::size_t slot = current_ % slots;
      if (!occupied(slot)) continue;
      Entry* list = heads_[slot];
      heads_[slot] = nullptr;
      mark(slot, false);
      for (Entry* e = list; e != nullptr; e = e->next_) e->linked_ = detached;
      while (list != nullptr) {
        Entry* entry = list;
        list = entry->next_;
        if (list != nullptr) list->previous_ = nullptr;
        entry->previous_ = entry->next_ = nullptr;
        entry->linked_ = 0;
        --count_;
        if (entry->due_ == 0) continue;
        if (entry->due_ > current_) {
          relink(*entry);
          continue;
        }
        entry->due_ = 0;
        pending_ = &list;
        expired(*entry);
        pending_ = nullptr;
      }
    }
  }

  /// How long until the wheel must be looked at; nullopt: nothing is linked.
  std::optional<std::chrono::milliseconds> until_next(Clock::time_point now) const;
  std::size_t size() const { return count_; }

 private:
  static constexpr std::uint64_t detached = ~std::uint64_t{0};  // in the list that advance() walks

  std::uint64_t tick_at(Clock::time_point when) const { return static_cast<std::uint64_t>((when - start_) / tick) + 1; }
  bool occupied(std::size_t slot) const { return (bitmap_[slot / 64] >> (slot % 64)) & 1; }
  void mark(std::size_t slot, bool on) {
    const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
    bitmap_[slot / 64] = on ? bitmap_[slot / 64] | bit : bitmap_[slot / 64] & ~bit;
  }
  void relink(Entry& entry);
  void unlink(Entry& entry);

  Clock::time_point start_;
  std::uint64_t current_ = 0;
  std::size_t count_ = 0;
  Entry** pending_ = nullptr;
  std::array<Entry*, slots> heads_{};
  std::array<std::uint64_t, slots / 64> bitmap_{};
};

}  // namespace telltale::proxy
