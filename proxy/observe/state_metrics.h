#pragma once

#include "proxy/observe/prometheus.h"
#include "proxy/observe/service_status.h"
#include "proxy/upstream/service.h"

#include <memory>
#include <span>

namespace telltale::proxy {

/// The part of the metrics that says who serves: states of nodes and endpoints, who of them may be chosen, who was
/// ejected. Control thread only.
void write_states(PrometheusWriter& writer, std::span<const std::shared_ptr<Service>> services,
                  std::span<const ServiceStatus> statuses);

/// The part that says how they are found.
void write_discovery(PrometheusWriter& writer, const DiscoveryCounts& counts);

}  // namespace telltale::proxy
