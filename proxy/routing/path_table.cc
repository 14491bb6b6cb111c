#include "proxy/routing/path_table.h"

#include <unordered_map>

namespace telltale::proxy {
namespace {

std::uint64_t hash_of(std::string_view text) {
  RollingHash hash;
  for (char octet : text) hash.add(octet);
  return hash.value();
}

}  // namespace

PathTable::Choice::Choice(const std::vector<const conf::Route*>& routes) {
  std::vector<const conf::Route*> with_conditions;
  for (const conf::Route* route : routes) {
    if (!route->match.conditions.empty()) {
      with_conditions.push_back(route);
    } else if (route_ == nullptr) {
      route_ = route;
    }
  }
  if (!with_conditions.empty()) by_conditions_ = std::make_unique<const ConditionTable>(with_conditions);
}

/// Gathers the routes of each path.
class PathTable::Collector {
 public:
  void add(std::string_view path, const conf::Route* route) {
    const auto [at, is_new] = places_.try_emplace(std::string(path), groups_.size());
    if (is_new) groups_.push_back({at->first, {}});
    groups_[at->second].routes.push_back(route);
  }
  HashIndex<Choice> build() {
    std::vector<HashIndex<Choice>::Entry> entries;
    entries.reserve(groups_.size());
    for (Group& group : groups_) entries.push_back({hash_of(group.path), group.path, Choice(group.routes)});
    return HashIndex<Choice>(std::move(entries));
  }

 private:
  struct Group {
    std::string path;
    std::vector<const conf::Route*> routes;
  };
  std::unordered_map<std::string, std::size_t> places_;
  std::vector<Group> groups_;
};

PathTable::PathTable(const std::vector<const conf::Route*>& routes) : any_({}) {
  Collector exact, prefixes;
  std::vector<const conf::Route*> any;
  for (const conf::Route* route : routes) {
    std::string_view path = route->match.path;
    if (!path.empty() && route->match.path_type == conf::PathType::exact) {
      exact.add(path, route);
      continue;
    }
    if (path.ends_with('/')) path.remove_suffix(1);
    if (!path.empty()) {
      prefixes.add(path, route);
    } else {
      any.push_back(route);
    }
  }
  exact_ = exact.build();
  prefixes_ = prefixes.build();
  any_ = Choice(any);
}

const conf::Route* PathTable::match(std::string_view path, const ConnectionTraits& connection) const {
  const auto is = [](std::string_view text) { return [text](std::string_view key) { return key == text; }; };
  const bool may_be_exact = !exact_.empty() && path.size() <= exact_.longest_key();
  const std::size_t end = std::min(path.size(), may_be_exact ? path.size() : prefixes_.longest_key());
  const conf::Route* best = any_.match(connection);
  RollingHash hash;
  for (std::size_t i = 0; i < end; ++i) {
    hash.add(path[i]);
    const bool element_ends = i + 1 == path.size() || path[i + 1] == '/';
    if (!element_ends || i + 1 > prefixes_.longest_key()) continue;
    if (const Choice* found = prefixes_.find(hash.value(), is(path.substr(0, i + 1)))) {
      if (const conf::Route* route = found->match(connection)) best = route;
    }
  }
  if (may_be_exact) {
    if (const Choice* found = exact_.find(hash.value(), is(path))) {
      if (const conf::Route* route = found->match(connection)) return route;
    }
  }
  return best;
}

}  // namespace telltale::proxy
