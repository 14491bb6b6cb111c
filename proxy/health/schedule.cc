#include "proxy/health/schedule.h"

#include <algorithm>

namespace telltale::proxy {
namespace {

constexpr auto later = [](const auto& a, const auto& b) { return a.when > b.when; };

}  // namespace

void Schedule::set(std::size_t item, Time when) {
  items_[item].due = when;
  // An earlier entry will find the new time when it comes up.
  if (when < items_[item].queued) push(item, when);
}

void Schedule::push(std::size_t item, Time when) {
  items_[item].queued = when;
  heap_.push_back({when, item});
  std::push_heap(heap_.begin(), heap_.end(), later);
}

std::optional<std::size_t> Schedule::pop_due(Time now) {
  while (!heap_.empty() && heap_.front().when <= now) {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Entry entry = heap_.back();
    heap_.pop_back();
    Item& item = items_[entry.item];
    if (entry.when != item.queued) continue;  // a newer entry stands for it
    item.queued = Time::max();
    if (item.due <= now) {
      item.due = Time::max();
      return entry.item;
    }
    if (item.due != Time::max()) push(entry.item, item.due);
  }
  return std::nullopt;
}

}  // namespace telltale::proxy
