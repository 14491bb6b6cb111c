#pragma once

#include "conf/model.h"
#include "proxy/routing/hash_index.h"

#include <cstddef>
#include <string_view>
#include <vector>

namespace telltale::proxy {

/// The routes of one host, by path: exact first, then the longest prefix. Prefixes end at path elements, as in a
/// Kubernetes Ingress (`pathType: Prefix`): `/foo` and `/foo/` both match `/foo`, `/foo/` and `/foo/bar`, never
/// `/foobar`; `/` matches all. Of two routes that say the same, the first one stands. Paths compare octet by octet:
/// nothing is decoded or normalised. Immutable; no allocation in match().
class PathTable {
 public:
  explicit PathTable(const std::vector<const conf::Route*>& routes);
  /// The cost is bounded by the longest path configured, whatever the length of `path`.
  const conf::Route* match(std::string_view path) const;
  std::size_t longest_probe() const { return std::max(exact_.longest_probe(), prefixes_.longest_probe()); }

 private:
  HashIndex<const conf::Route*> exact_;
  HashIndex<const conf::Route*> prefixes_;  // without their trailing slash
  const conf::Route* any_ = nullptr;
};

}  // namespace telltale::proxy
