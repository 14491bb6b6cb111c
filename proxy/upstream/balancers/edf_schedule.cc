#include "proxy/upstream/balancers/edf_schedule.h"

#include <algorithm>
#include <cmath>

namespace telltale::proxy {

void EdfSchedule::assign(std::span<const double> weights, double phase) {
  heap_.clear();
  periods_.clear();
  if (weights.empty()) return;
  const double heaviest = *std::max_element(weights.begin(), weights.end());
  // Multiples of the golden ratio fill the unit interval evenly: neighbours do not come up together.
  constexpr double golden_ratio = 0.6180339887498949;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double period = heaviest / weights[i];
    const double start = phase + static_cast<double>(i) * golden_ratio;
    periods_.push_back(period);
    heap_.push_back({(start - std::floor(start)) * period, static_cast<std::uint32_t>(i)});
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
