#include "proxy/upstream/balancers/edf_schedule.h"

#include <algorithm>

namespace telltale::proxy {

EdfSchedule::EdfSchedule(std::span<const Item> items) {
  if (items.empty()) return;
  const auto lighter = [](const Item& a, const Item& b) { return a.weight < b.weight; };
  const double heaviest = std::max_element(items.begin(), items.end(), lighter)->weight;
  heap_.reserve(items.size());
  periods_.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    periods_.push_back(heaviest / items[i].weight);
    heap_.push_back({items[i].phase * periods_[i], static_cast<std::uint32_t>(i)});
  }
  for (std::size_t i = heap_.size() / arity + 1; i-- > 0;) sift_down(i, heap_[i], heap_.size());
}

void EdfSchedule::sift_down(std::size_t hole, Turn turn, std::size_t size) {
  for (;;) {
    const std::size_t first = hole * arity + 1;
    if (first >= size) break;
    const std::size_t end = std::min(first + arity, size);
    std::size_t earliest = first;
    for (std::size_t child = first + 1; child < end; ++child) {
      if (heap_[child].deadline < heap_[earliest].deadline) earliest = child;
    }
    if (heap_[earliest].deadline >= turn.deadline) break;
    heap_[hole] = heap_[earliest];
    hole = earliest;
  }
  heap_[hole] = turn;
}

void EdfSchedule::sift_up(std::size_t hole, Turn turn) {
  while (hole > 0) {
    const std::size_t parent = (hole - 1) / arity;
    if (heap_[parent].deadline <= turn.deadline) break;
    heap_[hole] = heap_[parent];
    hole = parent;
  }
  heap_[hole] = turn;
}

}  // namespace telltale::proxy
