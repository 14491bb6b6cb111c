#pragma once

#include "conf/model.h"
#include "proxy/routing/condition_table.h"
#include "proxy/routing/hash_index.h"

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace telltale::proxy {

/// The routes of one host, by path: exact first, then the longest prefix. Prefixes end at path elements, as in a
/// Kubernetes Ingress (`pathType: Prefix`): `/foo` and `/foo/` both match `/foo`, `/foo/` and `/foo/bar`, never
/// `/foobar`; `/` matches all. Of the routes of one path, those that ask something of the connection are tried first;
/// if there are no others and none of them fits, the next shorter prefix is taken. Of two routes that say the same, the
/// first one stands. Paths compare octet by octet: nothing is decoded or normalised. Immutable; no allocation in
/// match().
class PathTable {
 public:
  explicit PathTable(const std::vector<const conf::Route*>& routes);  ///< of one array, in its order
  /// The cost is bounded by the longest path configured, whatever the length of `path`.
  const conf::Route* match(std::string_view path, const ConnectionTraits& connection) const;
  std::size_t longest_probe() const { return std::max(exact_.longest_probe(), prefixes_.longest_probe()); }

 private:
  /// The routes of one path.
  class Choice {
   public:
    explicit Choice(const std::vector<const conf::Route*>& routes);
    const conf::Route* match(const ConnectionTraits& connection) const {
      if (by_conditions_ != nullptr) {
        if (const conf::Route* route = by_conditions_->match(connection)) return route;
      }
      return route_;
    }

   private:
    const conf::Route* route_ = nullptr;                   // asks for nothing more
    std::unique_ptr<const ConditionTable> by_conditions_;  // null: no route does
  };
  class Collector;

  HashIndex<Choice> exact_;
  HashIndex<Choice> prefixes_;  // without their trailing slash
  Choice any_;
};

}  // namespace telltale::proxy
