#pragma once

#include "proxy/upstream/balancer.h"
#include "proxy/upstream/connection_pool.h"
#include "proxy/upstream/proxy_mismatch.h"
#include "proxy/upstream/selection.h"
#include "proxy/upstream/service.h"

#include <array>
#include <memory>
#include <span>
#include <string_view>
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

/// One worker's side of a service: who may be chosen, connections to them, how busy they are. Worker's thread only.
class LocalService {
 public:
  LocalService(std::shared_ptr<Service> service, ServiceMetrics& metrics)
      : service_(std::move(service)), metrics_(metrics) {}

  /// Pools, and what is in flight, go on for endpoints that stay; those that went away lose their idle connections.
  void update(ServiceUpdate update);

  struct Pick {
    TrafficKind traffic = TrafficKind::external;
    const net::IpAddress* client = nullptr;  ///< the resolved client, for affinity; null: unknown
    std::uint64_t hash = 0;                  ///< PickInput::hash
    std::span<const std::uint32_t> tried;    ///< Endpoint::index of those that already failed this request
    AffinityTable::Clock::time_point now{};
  };
  /// nullptr: nobody may be chosen; reason() says why. Else the caller counts as its user until leave().
  LocalEndpoint* enter(const Pick& pick);
  void leave(LocalEndpoint& endpoint);
  /// What became of a try there, for ejection (conf::Ejection); nothing where the service has none.
  void succeeded(const LocalEndpoint& endpoint);
  void failed(const LocalEndpoint& endpoint, std::string_view why);

  SelectionReason reason(TrafficKind traffic) const { return choice_for(traffic).reason; }
  Service& service() const { return *service_; }
  const conf::Service& conf() const { return service_->conf(); }
  ServiceMetrics& metrics() const { return metrics_; }
  void close_idle();

 private:
  const ServiceUpdate::ByTraffic& choice_for(TrafficKind traffic) const;
  std::uint32_t balance(const Pick& pick, const ServiceUpdate::ByTraffic& choice) const;
  std::uint32_t pick_affine(const Pick& pick, const ServiceUpdate::ByTraffic& choice) const;

  std::shared_ptr<Service> service_;
  ServiceMetrics& metrics_;
  std::array<ServiceUpdate::ByTraffic, traffic_kinds> by_traffic_;
  std::vector<std::unique_ptr<LocalEndpoint>> endpoints_;  ///< by Endpoint::index; null: no such one now
  std::vector<std::uint32_t> loads_;                       ///< LocalEndpoint::users, dense
  std::vector<std::unique_ptr<LocalEndpoint>> gone_;       ///< in use by somebody still
};

}  // namespace telltale::proxy
