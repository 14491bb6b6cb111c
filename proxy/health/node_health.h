#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace telltale::proxy {

/// What is said at a service's healthCheckNodePort, octet by octet what kube-proxy says there (Kubernetes
/// pkg/proxy/healthcheck/service_health.go since 1.28, served by Go's net/http).
struct NodeHealth {
  std::string service_namespace = "default";
  std::string service_name;
  std::size_t local_endpoints = 0;
  bool proxy_healthy = true;

  /// 200 iff there are local endpoints and the proxy is healthy; else 503.
  unsigned status() const { return local_endpoints > 0 && proxy_healthy ? 200 : 503; }
  /// Names that Kubernetes would not allow are escaped as JSON wants it.
  std::string body() const;
};

/// Of the service `namespace/name`, or `name` in the namespace `default`.
NodeHealth node_health_of(std::string_view service);

/// What of a request shows in its answer.
struct HealthRequest {
  unsigned http_minor = 1;
  bool keep_alive = true;
  bool head_only = false;  ///< HEAD
};
/// The whole response.
std::string health_response(const NodeHealth& health, const HealthRequest& request,
                            std::chrono::system_clock::time_point now);

}  // namespace telltale::proxy
