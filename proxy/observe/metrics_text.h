#pragma once

#include "proxy/discovery/status.h"
#include "proxy/observe/metrics.h"
#include "proxy/observe/service_status.h"
#include "proxy/observe/source_loss.h"
#include "proxy/upstream/service.h"

#include <span>
#include <string>
#include <vector>

namespace telltale::proxy {

/// Sums the workers' counters and writes them as Prometheus text (names telltale_*; labels listener, service, endpoint,
/// node, cause, code_class, traffic, reason, result). A state is one gauge per state, 1 for the one it is in.
/// `statuses`: by Service::index(); what it does not reach has none. Control thread only.
std::string render_metrics(std::span<WorkerMetrics* const> workers, std::span<const std::string> listener_names,
                           std::span<const std::shared_ptr<Service>> services, std::span<const SourceLoss> source_loss,
                           std::span<const ServiceStatus> statuses = {}, const DiscoveryCounts& discovery = {});

/// /services: [{name, external_traffic_policy, internal_traffic_policy, selection: {external: {reason, eligible},
/// internal}, ejections, discovery: {names: [{name, kind, state, since, addresses, answered, ttl_seconds, next,
/// error}], file: {path, loaded, nodes, endpoints, problems}}, nodes: [{name, address, zone, health: {state, reason,
/// since}}], endpoints: [{name, address, node, weight, state, reason, since, ejected: {reason, since, until, times},
/// health…}]}]. `statuses` as above. Control thread only.
std::string render_services(std::span<const std::shared_ptr<Service>> services,
                            std::span<const ServiceStatus> statuses = {});

}  // namespace telltale::proxy
