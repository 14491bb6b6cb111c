#pragma once

#include "proxy/upstream/service.h"

#include <memory>
#include <span>

namespace telltale::proxy {

/// Chooses an endpoint of one service. One object per worker and service: not thread safe, no lock, no allocation in
/// pick(); the eligible list is rebuilt only when Service::version() moved.
class Balancer {
 public:
  virtual ~Balancer() = default;
  /// nullptr: none is ready (the request gets 503). `tried` are endpoints that already failed this request: avoided
  /// while there is another. When no endpoint is healthy, `unknown` ones serve, never draining or unhealthy ones.
  virtual const Endpoint* pick(std::span<const Endpoint* const> tried) = 0;
};

/// By conf::Service::balance; `seed` starts the rotation somewhere else in each worker.
std::unique_ptr<Balancer> make_balancer(const Service& service, std::uint32_t seed);

}  // namespace telltale::proxy
