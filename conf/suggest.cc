#include "conf/suggest.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace telltale::conf {
namespace {

constexpr std::size_t longest = 63;

std::string fold(std::string_view word) {
  std::string result;
  for (const char c : word) {
    if (c == '_' || c == '-') continue;
    result += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return result;
}

}  // namespace

std::size_t edit_distance(std::string_view from, std::string_view to, std::size_t limit) {
  const std::size_t more = limit + 1;
  if (from.size() > longest || to.size() > longest) return from == to ? 0 : more;
  if (std::max(from.size(), to.size()) - std::min(from.size(), to.size()) > limit) return more;
  // Optimal string alignment, three rows.
  std::array<std::array<std::uint8_t, longest + 1>, 3> rows{};
  for (std::size_t k = 0; k <= to.size(); ++k) rows[0][k] = static_cast<std::uint8_t>(k);
  for (std::size_t i = 1; i <= from.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i + 2) % 3];
    row[0] = static_cast<std::uint8_t>(i);
    std::size_t least = i;
    for (std::size_t k = 1; k <= to.size(); ++k) {
      const bool same = from[i - 1] == to[k - 1];
      std::size_t cost = std::min({above[k] + 1u, row[k - 1] + 1u, above[k - 1] + (same ? 0u : 1u)});
      if (i > 1 && k > 1 && from[i - 1] == to[k - 2] && from[i - 2] == to[k - 1]) {
        cost = std::min<std::size_t>(cost, rows[(i + 1) % 3][k - 2] + 1u);
      }
      row[k] = static_cast<std::uint8_t>(cost);
      least = std::min(least, cost);
    }
    if (least > limit) return more;
  }
  return std::min<std::size_t>(rows[from.size() % 3][to.size()], more);
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.empty() || word.size() > longest) return {};
  const std::string folded = fold(word);
  std::size_t best = std::max<std::size_t>(1, std::min<std::size_t>(3, folded.size() / 3)) + 1;
  std::string_view result;
  for (const std::string_view candidate : candidates) {
    const std::string other = fold(candidate);
    std::size_t distance = edit_distance(folded, other, best - 1);
    // An abbreviation: `addr` for `address`.
    if (distance > 1 && folded.size() >= 3 && (other.starts_with(folded) || folded.starts_with(other))) distance = 1;
    if (distance < best && !other.empty()) best = distance, result = candidate;
    if (best == 0) break;
  }
  return result;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates, std::string fallback) {
  const std::string_view near = nearest(word, candidates);
  return near.empty() ? std::move(fallback) : "did you mean \"" + std::string(near) + "\"?";
}

}  // namespace telltale::conf
