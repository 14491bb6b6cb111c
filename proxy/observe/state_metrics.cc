#include "proxy/observe/state_metrics.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

namespace telltale::proxy {
namespace {

using Services = std::span<const std::shared_ptr<Service>>;
using Statuses = std::span<const ServiceStatus>;

constexpr std::array<HealthState, 4> health_states = {HealthState::unknown, HealthState::healthy, HealthState::draining,
                                                      HealthState::unhealthy};
constexpr std::array<SelectionReason, 5> selection_reasons = {SelectionReason::fit, SelectionReason::terminating,
                                                              SelectionReason::unknown, SelectionReason::no_endpoint,
                                                              SelectionReason::no_local_endpoint};
constexpr std::array<std::string_view, traffic_kinds> traffic_names = {"external", "internal"};

void write_node_states(PrometheusWriter& writer, Services services) {
  writer.family("telltale_node_state", "gauge",
                "1 for the state that the node's own probe found it in, 0 for the others.");
  for (const auto& service : services) {
    // A series may stand only once, and names are what the file says.
    std::set<std::string_view> written;
    for (const auto& node : service->set().nodes) {
      if (node->verdict == nullptr || !written.insert(node->display_name).second) continue;
      for (const HealthState each : health_states) {
        writer.sample({{"service", service->name()}, {"node", node->display_name}, {"state", to_string(each)}},
                      std::uint64_t{each == node->verdict->state()});
      }
    }
  }
}

void write_endpoint_states(PrometheusWriter& writer, Services services) {
  writer.family("telltale_endpoint_state", "gauge", "1 for the state that the endpoint is in, 0 for the others.");
  for (const auto& service : services) {
    std::set<std::pair<std::string_view, std::string_view>> written;
    for (const auto& endpoint : service->set().endpoints) {
      const std::string_view node = endpoint->node != nullptr ? std::string_view(endpoint->node->display_name) : "";
      if (!written.emplace(node, endpoint->name).second) continue;
      const HealthState state = endpoint->state();
      for (const HealthState each : health_states) {
        writer.sample(
            {{"service", service->name()}, {"node", node}, {"endpoint", endpoint->name}, {"state", to_string(each)}},
            std::uint64_t{each == state});
      }
    }
  }
}

void write_selections(PrometheusWriter& writer, Services services, Statuses statuses) {
  writer.family("telltale_service_selection", "gauge",
                "1 for why who may be chosen may be, or nobody may, 0 otherwise.");
  for (const auto& service : services) {
    for (std::size_t traffic = 0; traffic < traffic_kinds && service->index() < statuses.size(); ++traffic) {
      for (const SelectionReason each : selection_reasons) {
        writer.sample({{"service", service->name()}, {"traffic", traffic_names[traffic]}, {"reason", to_string(each)}},
                      std::uint64_t{each == statuses[service->index()].selections[traffic].reason});
      }
    }
  }
  writer.family("telltale_endpoints_eligible", "gauge", "Endpoints that may be chosen.");
  for (const auto& service : services) {
    for (std::size_t traffic = 0; traffic < traffic_kinds && service->index() < statuses.size(); ++traffic) {
      writer.gauge({{"service", service->name()}, {"traffic", traffic_names[traffic]}},
                   statuses[service->index()].selections[traffic].eligible);
    }
  }
}

void write_ejections(PrometheusWriter& writer, Services services, Statuses statuses) {
  writer.family("telltale_ejections_total", "counter", "Endpoints taken out because requests to them failed.");
  for (const auto& service : services) {
    if (service->index() >= statuses.size()) continue;
    writer.sample({{"service", service->name()}}, statuses[service->index()].ejections);
  }
  writer.family("telltale_endpoints_ejected", "gauge", "Endpoints that are out for that now.");
  for (const auto& service : services) {
    const auto out = std::ranges::count_if(service->set().endpoints,
                                           [](const auto& endpoint) { return endpoint->passive->ejected; });
    writer.gauge({{"service", service->name()}}, static_cast<std::uint64_t>(out));
  }
}

}  // namespace

void write_states(PrometheusWriter& writer, Services services, Statuses statuses) {
  write_node_states(writer, services);
  write_endpoint_states(writer, services);
  write_selections(writer, services, statuses);
  write_ejections(writer, services, statuses);
}

void write_discovery(PrometheusWriter& writer, const DiscoveryCounts& counts) {
  writer.family("telltale_dns_lookups_total", "counter", "Names looked up; a failure if any part of it failed.");
  for (std::size_t i = 0; i < counts.lookups.size(); ++i) {
    writer.sample({{"result", to_string(static_cast<LookupOutcome>(i))}}, counts.lookups[i]);
  }
  writer.family("telltale_dns_names", "gauge", "Names that are followed, by what is known of them.");
  for (std::size_t i = 0; i < counts.names.size(); ++i) {
    writer.gauge({{"state", to_string(static_cast<NameState>(i))}}, counts.names[i]);
  }
  writer.family("telltale_endpoints_file_loads_total", "counter", "Endpoints files read because they changed.");
  writer.sample({{"result", "loaded"}}, counts.files_loaded);
  writer.sample({{"result", "refused"}}, counts.files_refused);
  writer.family("telltale_endpoints_files_not_in_force", "gauge",
                "Endpoints files that are wrong as they are now: the last good list is in force.");
  writer.gauge({}, counts.files_not_in_force);
}

}  // namespace telltale::proxy
