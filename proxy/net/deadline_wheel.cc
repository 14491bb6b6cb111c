#include "proxy/net/deadline_wheel.h"

#include <algorithm>

namespace telltale::proxy {

void DeadlineWheel::relink(Entry& entry) {
  unlink(entry);
  // Never the current tick (it was walked already), never beyond one turn.
  const std::uint64_t at = std::clamp(entry.due_, current_ + 1, current_ + slots - 1);
  const std::size_t slot = at % slots;
  entry.linked_ = at;
  entry.previous_ = nullptr;
  entry.next_ = heads_[slot];
  if (entry.next_ != nullptr) entry.next_->previous_ = &entry;
  heads_[slot] = &entry;
  mark(slot, true);
  ++count_;
}

void DeadlineWheel::unlink(Entry& entry) {
  if (entry.linked_ == 0) return;
  if (entry.previous_ != nullptr) {
    entry.previous_->next_ = entry.next_;
  } else if (entry.linked_ == detached) {
    if (pending_ != nullptr) *pending_ = entry.next_;
  } else {
    const std::size_t slot = entry.linked_ % slots;
    heads_[slot] = entry.next_;
    if (entry.next_ == nullptr) mark(slot, false);
  }
  if (entry.next_ != nullptr) entry.next_->previous_ = entry.previous_;
  entry.previous_ = entry.next_ = nullptr;
  entry.linked_ = 0;
  --count_;
}

std::optional<std::chrono::milliseconds> DeadlineWheel::until_next(Clock::time_point now) const {
  if (count_ == 0) return std::nullopt;
  for (std::size_t distance = 1; distance < slots;) {
    const std::size_t slot = (current_ + distance) % slots;
    const std::uint64_t word = bitmap_[slot / 64] >> (slot % 64);
    if (word == 0) {
      distance += 64 - slot % 64;
      continue;
    }
    distance += static_cast<std::size_t>(std::countr_zero(word));
    // The tick numbered t is over at start + t * tick.
    const auto due = start_ + tick * static_cast<std::int64_t>(current_ + distance);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - now);
    return std::max(left, std::chrono::milliseconds{0});
  }
  return tick;
}

}  // namespace telltale::proxy
