#pragma once

#include "conf/model.h"
#include "proxy/health/ejector.h"
#include "proxy/observe/admin_server.h"
#include "proxy/observe/service_status.h"
#include "proxy/upstream/directory.h"

#include <array>
#include <cstddef>
#include <string>
#include <vector>

/// What the admin pages are told of the services' health. Control thread only.
namespace telltale::proxy {

/// By Service::index(), by TrafficKind: whether some listener leads such traffic there.
using ServedTraffic = std::vector<std::array<bool, traffic_kinds>>;
ServedTraffic served_traffic(const conf::Model& model);

/// By Service::index().
std::vector<ServiceStatus> service_statuses(const Directory& directory, const Ejector& ejector);

/// Empty if some service has endpoints that may be chosen for traffic that it is there to serve, ready ones or, while
/// none is, those of which nothing is known (as at health ports, terminating ones count for nothing), or if no listener
/// leads to a service; else of each such service, up to eight, why not.
std::string endpoints_problem(const Directory& directory, const ServedTraffic& served);

struct ProcessState {
  std::size_t workers = 0, workers_running = 0;
  bool draining = false;
};
/// /readyz. That there is a configuration goes without saying: the process does not start without one.
std::vector<ReadyCheck> ready_checks(const Directory& directory, const ServedTraffic& served,
                                     const ProcessState& state);

}  // namespace telltale::proxy
