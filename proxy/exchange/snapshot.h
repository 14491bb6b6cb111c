#pragma once

#include <memory>
#include <vector>

#include "conf/model.h"
#include "proxy/routing/route_table.h"
#include "proxy/upstream/service.h"

namespace telltale::proxy {

/// One loaded configuration with what was built from it. Immutable but for the health verdicts; shared by the workers,
/// pinned by every request under way.
struct Snapshot {
  std::shared_ptr<const conf::Model> model;
  std::vector<std::unique_ptr<RouteTable>> routes;  ///< of each listener
  std::vector<std::unique_ptr<Service>> services;
  std::size_t endpoint_count = 0;
};

}  // namespace telltale::proxy
