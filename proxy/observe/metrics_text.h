#pragma once

#include "proxy/observe/metrics.h"
#include "proxy/observe/source_loss.h"
#include "proxy/upstream/service.h"

#include <span>
#include <string>
#include <vector>

namespace telltale::proxy {

/// Sums the workers' counters and writes them as Prometheus text (names telltale_*; labels listener, service, endpoint,
/// node, cause, code_class). Endpoint state is one gauge per state, 1 for the one it is in.
std::string render_metrics(std::span<WorkerMetrics* const> workers, std::span<const std::string> listener_names,
                           std::span<const std::shared_ptr<Service>> services, std::span<const SourceLoss> source_loss);

/// /services: [{name, external_traffic_policy, nodes: [{name, address, zone, health: {state, reason, since}}],
/// endpoints: [{name, address, node, weight, state, health…}]}]. Control thread only.
std::string render_services(std::span<const std::shared_ptr<Service>> services);

}  // namespace telltale::proxy
