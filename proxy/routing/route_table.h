#pragma once

#include "conf/model.h"
#include "proxy/routing/condition_table.h"

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace telltale::proxy {

/// Finds the route of a request. Hosts by hash, exact first, then `*.suffix` by label (longest suffix first), then any
/// host; within a host exact path, then the longest path prefix (by element, Kubernetes Ingress), within a path the
/// routes that ask something of the connection; else the next, less specific path or host. Cost does not grow with the
/// number of hosts. Immutable, thread safe, no allocation in match().
class RouteTable {
 public:
  explicit RouteTable(const std::vector<conf::Route>& routes);  ///< keeps pointers: `routes` must outlive it
  ~RouteTable();
  /// `host` without port, any case; `path` without query. nullptr: no route (404).
  const conf::Route* match(std::string_view host, std::string_view path, const ConnectionTraits& connection = {}) const;
  /// The most slots that any look-up of a host has to visit: a property of the table, for the tests.
  std::size_t longest_probe() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace telltale::proxy
