#include "proxy/server/service_health.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace telltale::proxy {
namespace {

constexpr TrafficKind kinds[] = {TrafficKind::external, TrafficKind::internal};

bool is_ready(const Directory& directory, std::size_t service) {
  return std::ranges::any_of(kinds, [&](TrafficKind kind) {
    const SelectionReason reason = directory.reason(service, kind);
    return reason == SelectionReason::fit || reason == SelectionReason::unknown;
  });
}

}  // namespace

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

std::string endpoints_problem(const Directory& directory) {
  constexpr std::size_t max_named = 8;
  const auto& services = directory.services();
  std::string names;
  for (std::size_t service = 0; service < services.size(); ++service) {
    if (is_ready(directory, service)) return {};
    if (service < max_named) {
      names += fmt::format("{}{}: {}", names.empty() ? "" : ", ", services[service]->name(),
                           to_string(directory.reason(service, TrafficKind::external)));
    }
  }
  if (services.empty()) return {};
  if (services.size() > max_named) names += fmt::format(", and {} more", services.size() - max_named);
  return "no service has an endpoint that is fit to serve (" + names + ")";
}

std::vector<ReadyCheck> ready_checks(const Directory& directory, const ProcessState& state) {
  std::string workers;
  if (state.workers_running < state.workers) {
    workers = fmt::format("{} of {} workers run", state.workers_running, state.workers);
  }
  return {{"drain", state.draining ? "draining" : ""},
          {"workers", std::move(workers)},
          {"endpoints", endpoints_problem(directory)}};
}

}  // namespace telltale::proxy
