#include "proxy/routing/path_table.h"

#include <unordered_set>

namespace telltale::proxy {
namespace {

using Entry = HashIndex<const conf::Route*>::Entry;

std::uint64_t hash_of(std::string_view text) {
  RollingHash hash;
  for (char octet : text) hash.add(octet);
  return hash.value();
}

/// Collects entries, keeping the first of those with the same key.
class EntryList {
 public:
  void add(std::string_view key, const conf::Route* route) {
    if (seen_.emplace(key).second) entries_.push_back({hash_of(key), std::string(key), route});
  }
  std::vector<Entry> take() { return std::move(entries_); }

 private:
  std::unordered_set<std::string> seen_;
  std::vector<Entry> entries_;
};

}  // namespace

PathTable::PathTable(const std::vector<const conf::Route*>& routes) {
  EntryList exact, prefixes;
  for (const conf::Route* route : routes) {
    std::string_view path = route->match.path;
    if (!path.empty() && route->match.path_type == conf::PathType::exact) {
      exact.add(path, route);
      continue;
    }
    if (path.ends_with('/')) path.remove_suffix(1);
    if (!path.empty()) {
      prefixes.add(path, route);
    } else if (!any_) {
      any_ = route;
    }
  }
  exact_ = HashIndex<const conf::Route*>(exact.take());
  prefixes_ = HashIndex<const conf::Route*>(prefixes.take());
}

const conf::Route* PathTable::match(std::string_view path) const {
  const auto is = [](std::string_view text) { return [text](std::string_view key) { return key == text; }; };
  const bool may_be_exact = !exact_.empty() && path.size() <= exact_.longest_key();
  const std::size_t end = std::min(path.size(), may_be_exact ? path.size() : prefixes_.longest_key());
  const conf::Route* best = any_;
  RollingHash hash;
  for (std::size_t i = 0; i < end; ++i) {
    hash.add(path[i]);
    const bool element_ends = i + 1 == path.size() || path[i + 1] == '/';
    if (!element_ends || i + 1 > prefixes_.longest_key()) continue;
    if (const auto* found = prefixes_.find(hash.value(), is(path.substr(0, i + 1)))) best = *found;
  }
  if (may_be_exact) {
    if (const auto* found = exact_.find(hash.value(), is(path))) return *found;
  }
  return best;
}

}  // namespace telltale::proxy
