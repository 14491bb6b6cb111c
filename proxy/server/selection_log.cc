#include "proxy/server/selection_log.h"

#include <spdlog/spdlog.h>

#include <array>
#include <string>
#include <utility>

namespace telltale::proxy {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// `2 unhealthy, 1 draining`; empty: there are no endpoints.
std::string states_text(const EndpointSet& set) {
  std::array<std::size_t, 4> counts{};
  for (const auto& endpoint : set.endpoints) ++counts[static_cast<std::size_t>(endpoint->state())];
  std::string text;
  for (const HealthState state :
       {HealthState::healthy, HealthState::unknown, HealthState::draining, HealthState::unhealthy}) {
    const std::size_t count = counts[static_cast<std::size_t>(state)];
    if (count > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, to_string(state));
  }
  return text;
}

spdlog::level::level_enum level_of(SelectionReason reason) {
  if (reason == SelectionReason::fit) return spdlog::level::info;
  return reason == SelectionReason::no_endpoint ? spdlog::level::err : spdlog::level::warn;
}

}  // namespace

SelectionLog::SelectionLog(boost::asio::io_context& io, const Directory& directory, ServedTraffic served)
    : directory_(directory),
      served_(std::move(served)),
      reports_(directory.services().size() * traffic_kinds, SteadyClock::now()),
      timer_(io) {}

void SelectionLog::published(std::size_t service) {
  const auto now = SteadyClock::now();
  const auto next = reports_.next();
  for (std::size_t kind = 0; kind < traffic_kinds; ++kind) {
    const std::size_t item = service * traffic_kinds + kind;
    if (!served_[service][kind]) continue;
    if (reports_.changed(item, directory_.reason(service, static_cast<TrafficKind>(kind)), now)) say(item);
  }
  if (reports_.next() != next) arm();
}

void SelectionLog::stop() {
  stopped_ = true;
  timer_.cancel();
}

void SelectionLog::say(std::size_t item) const {
  const Service& service = *directory_.services()[item / traffic_kinds];
  const auto traffic = static_cast<TrafficKind>(item % traffic_kinds);
  const SelectionReason reason = directory_.reason(service.index(), traffic);
  std::string which = "service " + service.name();
  if (served_[service.index()][0] && served_[service.index()][1]) {
    which += traffic == TrafficKind::external ? ", external traffic" : ", internal traffic";
  }
  spdlog::log(level_of(reason), "{}", selection_text(which, reason, states_text(service.set())));
}

void SelectionLog::arm() {
  if (stopped_ || reports_.next() == SelectionReports::Time::max()) return;
  timer_.expires_at(reports_.next());
  timer_.async_wait([this](boost::system::error_code error) {
    if (error || stopped_) return;
    while (const auto item = reports_.pop_due(SteadyClock::now())) say(*item);
    arm();
  });
}

}  // namespace telltale::proxy
