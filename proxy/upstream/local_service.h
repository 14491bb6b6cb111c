#pragma once

#include "proxy/net/event_loop.h"
#include "proxy/upstream/balancer.h"
#include "proxy/upstream/connection_line.h"
#include "proxy/upstream/connection_pool.h"
#include "proxy/upstream/proxy_mismatch.h"
#include "proxy/upstream/selection.h"
#include "proxy/upstream/service.h"

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace telltale::proxy {

/// One worker's side of an endpoint.
struct LocalEndpoint {
  LocalEndpoint(std::shared_ptr<const Endpoint> e, const conf::Pool& limits, ServiceMetrics& metrics)
      : endpoint(std::move(e)), pool(limits, metrics) {}
  std::shared_ptr<const Endpoint> endpoint;  ///< the newest of its id
  ConnectionPool pool;
  ProxyMismatch proxy_mismatch;
  std::uint32_t users = 0;  ///< exchanges and sessions that go to it now
  bool gone = false;        ///< no longer in the service: lives until its last user ends
};

/// What a worker gets when a service's endpoints, or who of them may be chosen, changed.
struct ServiceUpdate {
  std::shared_ptr<const EndpointSet> set;
  struct ByTraffic {
    std::unique_ptr<Balancer> balancer;  ///< null: nobody may be chosen
    SelectionReason reason = SelectionReason::no_endpoint;
    std::shared_ptr<const std::vector<bool>> eligible;  ///< by Endpoint::index
  };
  std::array<ByTraffic, traffic_kinds> by_traffic;
};

/// A retry in flight, until this goes. Worker's thread.
class RetryPermit {
 public:
  RetryPermit() = default;
  RetryPermit(const RetryPermit&) = delete;
  RetryPermit& operator=(const RetryPermit&) = delete;
  ~RetryPermit() { release(); }
  void release() {
    if (active_ != nullptr) std::exchange(active_, nullptr)->sub();
    shared_.release();
  }

 private:
  friend class LocalService;
  Counter* active_ = nullptr;
  Permit shared_;
};

/// One worker's side of a service: who may be chosen, connections to them, how busy they are, what limits say. Worker's
/// thread only.
class LocalService {
 public:
  /// `loop` is the worker's.
  LocalService(EventLoop& loop, std::shared_ptr<Service> service, ServiceMetrics& metrics);

  /// Pools, and what is in flight, go on for endpoints that stay; those that went away lose their idle connections.
  void update(ServiceUpdate update);

  struct Pick {
    TrafficKind traffic = TrafficKind::external;
    const net::IpAddress* client = nullptr;  ///< the resolved client, for affinity; null: unknown
    std::uint64_t hash = 0;                  ///< PickInput::hash
    std::span<const std::uint32_t> tried;    ///< Endpoint::index of those that already failed this request
    AffinityTable::Clock::time_point now{};
    /// It waited for its turn, and any connection suits it: it goes where one is idle, if nothing speaks against it.
    bool prefers_idle = false;
  };
  /// nullptr: nobody may be chosen; reason() says why. Else the caller counts as its user until leave().
  LocalEndpoint* enter(const Pick& pick);
  void leave(LocalEndpoint& endpoint);
  /// What became of a try there, for ejection (conf::Ejection); nothing where the service has none.
  void succeeded(const LocalEndpoint& endpoint);
  void failed(const LocalEndpoint& endpoint, std::string_view why);

  bool may_serve(TrafficKind traffic) const { return choice_for(traffic).balancer != nullptr; }
  /// Whether one may be chosen that is not in `tried`.
  bool has_other(TrafficKind traffic, std::span<const std::uint32_t> tried) const;

  // Limits (conf::CircuitBreakers), for whoever carries a request, or session, to an endpoint. Where there is no limit
  // nothing is counted.
  /// One more request in flight, as long as `permit` lasts. False: there are max_requests.
  bool admit(Permit& permit) {
    const std::uint32_t limit = conf().circuit_breakers.max_requests;
    return limit == 0 || permit.take(service_->breaker().requests, limit);
  }
  enum class Sent : bool { nothing, something };
  /// One more retry in flight, as long as `permit` lasts; `sent`: in the try before. Where that was nothing no backend
  /// is asked twice, so the budget is not asked either: else a service of which one backend in two refuses connections
  /// would fail requests that the other could serve. max_retries counts all.
  RetryRefusal admit_retry(RetryPermit& permit, const conf::Retries& retries, Sent sent);
  enum class Reuse : bool { allowed, forbidden };
  /// An idle connection of that identity; or a new one, whose stream the caller opens. nullptr: there is no room for
  /// one: leave() the endpoint, wait(), then enter() again.
  std::unique_ptr<UpstreamConnection> connection_to(LocalEndpoint& endpoint, std::string&& identity, Turn& turn,
                                                    Reuse reuse = Reuse::allowed);
  /// Only after connection_to() gave none: gets in line; `wake` is signalled when the turn has come. That it
  /// waits no longer than pending_until(), and whether it gives up, is the caller's: turn.reset(). False: max_pending
  /// wait already.
  bool wait(Turn& turn, Readiness& wake) { return line_->wait(turn, wake); }
  /// When who waits is to give up (pending_timeout): one time for all the waits until it has a connection.
  EventLoop::Clock::time_point pending_until(const Turn& turn) const {
    return turn.waiting_since() + conf().circuit_breakers.pending_timeout;
  }

  SelectionReason reason(TrafficKind traffic) const { return choice_for(traffic).reason; }
  Service& service() const { return *service_; }
  const conf::Service& conf() const { return service_->conf(); }
  ServiceMetrics& metrics() const { return metrics_; }
  void close_idle();

 private:
  const ServiceUpdate::ByTraffic& choice_for(TrafficKind traffic) const;
  std::uint32_t balance(const Pick& pick, const ServiceUpdate::ByTraffic& choice) const;
  std::optional<std::uint32_t> eligible_index(AffinityTable::Ticket ticket,
                                              const ServiceUpdate::ByTraffic& choice) const;
  std::uint32_t pick_affine(const Pick& pick, const ServiceUpdate::ByTraffic& choice) const;
  std::optional<std::uint32_t> pick_idle(const Pick& pick, const ServiceUpdate::ByTraffic& choice) const;

  std::shared_ptr<Service> service_;
  ServiceMetrics& metrics_;
  std::unique_ptr<ConnectionLine> line_;  ///< null: no max_connections. Connections refer to it: it goes after them
  std::shared_ptr<const EndpointSet> set_;
  std::array<ServiceUpdate::ByTraffic, traffic_kinds> by_traffic_;
  std::vector<std::unique_ptr<LocalEndpoint>> endpoints_;  ///< by Endpoint::index; null: no such one now
  std::vector<std::uint32_t> loads_;                       ///< LocalEndpoint::users, dense
  std::vector<std::unique_ptr<LocalEndpoint>> gone_;       ///< in use by somebody still
};

}  // namespace telltale::proxy
