#pragma once

#include "conf/model.h"
#include "proxy/routing/route_table.h"
#include "proxy/upstream/service.h"

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

namespace telltale::proxy {

/// One configuration with what was built from it. Immutable but for the health verdicts; shared by the workers, pinned
/// by every connection. The next one replaces it whole; what did not change is in both.
struct Snapshot {
  std::shared_ptr<const conf::Model> model;
  std::vector<std::unique_ptr<RouteTable>> routes;  ///< of each listener
  std::vector<std::string> hsts;                    ///< of each listener: a ready line for its responses; empty: none
  std::vector<std::shared_ptr<Service>> services;
  /// Of each listener: the nodes of its services and this machine's gateways, which are no clients.
  std::vector<std::unordered_set<net::IpAddress>> infrastructure;
};

}  // namespace telltale::proxy
