#pragma once

#include "conf/address.h"
#include "proxy/health/node_health.h"
#include "proxy/upstream/directory.h"

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace telltale::proxy {

/// What a health port counts as local endpoints: those that are ready or, while traffic goes to unknown ones because
/// none is, those of which nothing is known; on a node (`node_name`) only that node's, outside all of them. As with
/// kube-proxy, hints do not matter, and priorities neither: spares are counted beside those that serve. While only
/// terminating ones are left it is 0, though they still serve: the load balancer is to send new clients elsewhere
/// (KEP-1669). kube-proxy counts IP addresses, because a Service there may have several ports; here it has one.
std::size_t local_endpoints(const Directory& directory, std::size_t service);

/// Our own health ports, one for each service that has a `health_check_node_port`: answers as kube-proxy's do
/// (node_health.h), whatever the path and method, to a bare request and to one behind a PROXY header, v1 or v2, LOCAL
/// or not, for clouds send both. No logging, no access log: anybody may ask.
///
/// Keep-alive as Go's server has it, but bounded: 16 KiB of head, 16 KiB of a body (a longer one is answered, and the
/// connection closed), 10 s from the first octet to the end of a request, 10 minutes without one, 32 connections a
/// port, of which the oldest gives way to a new one: whoever holds connections open does not keep the prober out.
/// Control thread only.
class HealthPorts {
 public:
  /// Binds at once; throws std::system_error when an address is taken.
  HealthPorts(boost::asio::io_context& io, std::span<const std::shared_ptr<Service>> services);
  ~HealthPorts();
  HealthPorts(const HealthPorts&) = delete;
  HealthPorts& operator=(const HealthPorts&) = delete;

  /// How many endpoints the service has from now on. 0 before. Nothing for a service without a port.
  void set_local_endpoints(std::size_t service, std::size_t count);
  /// Whether we serve: while we do not, as before the first call, every port says 503, and that the proxy is not
  /// healthy.
  void set_proxy_healthy(bool healthy);
  /// Closes all. Idempotent.
  void stop();

  /// With the real port; nullptr: the service has none.
  const conf::Address* address(std::size_t service) const;

 private:
  struct Port;
  std::vector<std::shared_ptr<Port>> ports_;  ///< by service; null: it has none
};

}  // namespace telltale::proxy
