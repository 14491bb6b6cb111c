#include "proxy/server/service_health.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace telltale::proxy {
namespace {

constexpr TrafficKind kinds[] = {TrafficKind::external, TrafficKind::internal};

bool is_fit(SelectionReason reason) { return reason == SelectionReason::fit || reason == SelectionReason::unknown; }

}  // namespace

ServedTraffic served_traffic(const conf::Model& model) {
  ServedTraffic served(model.services.size());
  for (const auto& listener : model.listeners) {
    const auto kind = static_cast<std::size_t>(listener.internal ? TrafficKind::internal : TrafficKind::external);
    for (const auto& route : listener.routes) {
      if (route.service) served[*route.service][kind] = true;
    }
  }
  return served;
}

std::vector<ServiceStatus> service_statuses(const Directory& directory, const Ejector& ejector) {
  std::vector<ServiceStatus> statuses(directory.services().size());
  for (std::size_t service = 0; service < statuses.size(); ++service) {
    for (const TrafficKind kind : kinds) {
      statuses[service].selections[static_cast<std::size_t>(kind)] = {directory.reason(service, kind),
                                                                      directory.eligible_count(service, kind)};
    }
    statuses[service].ejections = ejector.total(service);
  }
  return statuses;
}

std::string endpoints_problem(const Directory& directory, const ServedTraffic& served) {
  constexpr std::size_t max_named = 8;
  std::string names;
  std::size_t count = 0;
  for (std::size_t service = 0; service < served.size(); ++service) {
    const auto kind =
        std::ranges::find_if(kinds, [&](TrafficKind each) { return served[service][static_cast<std::size_t>(each)]; });
    if (kind == std::end(kinds)) continue;
    for (const TrafficKind each : kinds) {
      if (served[service][static_cast<std::size_t>(each)] && is_fit(directory.reason(service, each))) return {};
    }
    if (++count > max_named) continue;
    names += fmt::format("{}{}: {}", names.empty() ? "" : ", ", directory.services()[service]->name(),
                         to_string(directory.reason(service, *kind)));
  }
  if (count == 0) return {};
  if (count > max_named) names += fmt::format(", and {} more", count - max_named);
  return "no service has an endpoint that is fit to serve (" + names + ")";
}

std::vector<ReadyCheck> ready_checks(const Directory& directory, const ServedTraffic& served,
                                     const ProcessState& state) {
  std::string workers;
  if (state.workers_running < state.workers) {
    workers = fmt::format("{} of {} workers run", state.workers_running, state.workers);
  }
  return {{"drain", state.draining ? "draining" : ""},
          {"workers", std::move(workers)},
          {"endpoints", endpoints_problem(directory, served)}};
}

}  // namespace telltale::proxy
