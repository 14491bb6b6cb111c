#pragma once

#include "proxy/health/probe_target.h"
#include "proxy/observe/log_rate.h"
#include "proxy/upstream/selection.h"
#include "proxy/upstream/service.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <queue>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace telltale::proxy {

/// How long the `times`-th ejection in short order lasts, from 1: `time`, twice as long each time, `max_time` at most.
std::chrono::milliseconds ejection_time(const conf::Ejection& conf, unsigned times);

/// What is left of `times` for an endpoint that has been in again for `behaved`: one less once that was as long as its
/// last ejection, another one less for as long as the ejection before, and so on.
unsigned times_after(const conf::Ejection& conf, unsigned times, std::chrono::milliseconds behaved);

/// Which endpoints are out because their requests failed, and until when (health.md, "Passive"). Writes
/// Endpoint::passive, and logs each step. Knows no timer: the time is given. Control thread only.
///
/// An endpoint may go if, with it, no more than `max_share` percent of the service's endpoints are out, or if none is
/// out yet: so Envoy counts `max_ejection_percent`, with `always_eject_one_host`. Unlike there nobody is sent to those
/// that are out when nobody else is left, so the last one that may be chosen never goes, by neither kind of traffic.
/// Of one that may not go the failures are counted anew.
class Ejections {
 public:
  struct Now {
    std::chrono::steady_clock::time_point steady;  ///< decides
    std::chrono::system_clock::time_point system;  ///< is shown
    static Now read() { return {std::chrono::steady_clock::now(), std::chrono::system_clock::now()}; }
  };

  Ejections(std::vector<std::shared_ptr<Service>> services, Location location);

  /// The endpoint failed as often in a row as conf::Ejection says. The one that is out now; null: none, because it may
  /// not go, is out already, or is no longer of the service.
  std::shared_ptr<const Endpoint> failing(std::size_t service, std::uint64_t id, std::string_view why, Now now);

  /// A probe of `target`, begun at `began`, succeeded: that brings back whom it was sent to, where they serve. A probe
  /// of another port, as a healthCheckNodePort, says nothing of that one. The services that changed.
  std::vector<std::size_t> succeeded(const ProbeTarget& target, std::chrono::steady_clock::time_point began, Now now);

  /// Brings back those whose time is over. The services that changed.
  std::vector<std::size_t> end_due(Now now);
  /// When to call end_due() again: not after the first time is over (maybe before). time_point::max(): nobody is out.
  std::chrono::steady_clock::time_point next() const;

  /// Ejections of the service so far.
  std::uint64_t total(std::size_t service) const { return entries_[service].total; }

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  struct Out {
    std::shared_ptr<const Endpoint> endpoint;  ///< the newest of its id
    SteadyTime since, until;
  };
  struct Entry {
    std::shared_ptr<const EndpointSet> seen;  ///< what the rest is about
    std::unordered_map<std::uint64_t, std::shared_ptr<const Endpoint>> by_id;
    std::unordered_map<std::uint64_t, Out> out;  ///< by Endpoint::id
    std::uint64_t total = 0;
    LogRate refusals;
  };
  struct End {
    SteadyTime when;
    std::size_t service;
    std::uint64_t id;
    bool operator>(const End& other) const { return when > other.when; }
  };

  Entry& look_at(std::size_t service);
  bool may_go(std::size_t service, const Endpoint& endpoint, Now now);
  void bring_back(const Service& service, const Out& out, std::string_view why, Now now) const;

  std::vector<std::shared_ptr<Service>> services_;
  Location location_;
  std::vector<Entry> entries_;                                          // by service
  std::priority_queue<End, std::vector<End>, std::greater<End>> ends_;  // also of those that came back before
};

}  // namespace telltale::proxy
