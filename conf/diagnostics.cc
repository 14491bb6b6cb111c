#include "conf/diagnostics.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace telltale::conf {

std::string Path::to_string() const {
  if (parent == nullptr) return {};
  std::string result = parent->to_string();
  if (name.empty()) return result + "[" + std::to_string(index) + "]";
  if (!result.empty()) result += '.';
  return result.append(name);
}

void Diagnostics::error(const YamlNode& place, std::string path, std::string message, std::string hint) {
  if (full()) {
    dropped_ = dropped_error_ = true;
    return;
  }
  list_.push_back({Severity::error, place.line, place.column, std::move(path), std::move(message), std::move(hint)});
}
void Diagnostics::warning(const YamlNode& place, std::string path, std::string message, std::string hint) {
  if (full()) {
    dropped_ = true;
    return;
  }
  list_.push_back({Severity::warning, place.line, place.column, std::move(path), std::move(message), std::move(hint)});
}
void Diagnostics::error(const YamlNode& place, const Path& path, std::string message, std::string hint) {
  error(place, full() ? std::string() : path.to_string(), std::move(message), std::move(hint));
}
void Diagnostics::warning(const YamlNode& place, const Path& path, std::string message, std::string hint) {
  warning(place, full() ? std::string() : path.to_string(), std::move(message), std::move(hint));
}

std::vector<Diagnostic> Diagnostics::take() {
  // What was found first comes first at the same place.
  std::vector<std::size_t> order(list_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::tuple(list_[i].line, list_[i].column, i); });
  std::vector<Diagnostic> sorted;
  sorted.reserve(order.size() + 1);
  for (const std::size_t i : order) sorted.push_back(std::move(list_[i]));
  // An aliased value is read once for each use: the same finding at the same place for the same field is one finding.
  const auto same = [](const Diagnostic& a, const Diagnostic& b) {
    return std::tie(a.line, a.column, a.path, a.message) == std::tie(b.line, b.column, b.path, b.message);
  };
  sorted.erase(std::unique(sorted.begin(), sorted.end(), same), sorted.end());
  if (dropped_) {
    sorted.push_back({dropped_error_ ? Severity::error : Severity::warning,
                      0,
                      0,
                      {},
                      "more than " + std::to_string(most) + " findings; the rest is not shown",
                      {}});
  }
  list_.clear();
  return sorted;
}

}  // namespace telltale::conf
