#include "proxy/health/node_health.h"

#include "proxy/observe/escape.h"
#include "proxy/observe/timestamp.h"

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

namespace telltale::proxy {
namespace {

std::string quoted(std::string_view name) { return boost::json::serialize(boost::json::string(to_valid_utf8(name))); }

}  // namespace

std::string NodeHealth::body() const {
  std::string out = "{\n\t\"service\": {\n\t\t\"namespace\": ";
  out += quoted(service_namespace);
  out += ",\n\t\t\"name\": ";
  out += quoted(service_name);
  out += "\n\t},\n\t\"localEndpoints\": ";
  out += std::to_string(local_endpoints);
  out += ",\n\t\"serviceProxyHealthy\": ";
  out += proxy_healthy ? "true" : "false";
  out += "\n}";
  return out;
}

NodeHealth node_health_of(std::string_view service) {
  NodeHealth health;
  const std::size_t slash = service.find('/');
  if (slash != std::string_view::npos) health.service_namespace = service.substr(0, slash);
  health.service_name = service.substr(slash == std::string_view::npos ? 0 : slash + 1);
  return health;
}

/// The order of the fields is Go's: the handler's own by name, then what the server adds.
std::string health_response(const NodeHealth& health, const HealthRequest& request,
                            std::chrono::system_clock::time_point now) {
  const std::string body = health.body();
  std::string out = request.http_minor == 0 ? "HTTP/1.0 " : "HTTP/1.1 ";
  out += health.status() == 200 ? "200 OK" : "503 Service Unavailable";
  out += "\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\nX-Load-Balancing-Endpoint-Weight: ";
  out += std::to_string(health.local_endpoints);
  out += "\r\nDate: ";
  out += http_date(now);
  out += "\r\nContent-Length: ";
  out += std::to_string(body.size());
  if (request.http_minor == 0 && request.keep_alive) out += "\r\nConnection: keep-alive";
  if (request.http_minor > 0 && !request.keep_alive) out += "\r\nConnection: close";
  out += "\r\n\r\n";
  if (!request.head_only) out += body;
  return out;
}

}  // namespace telltale::proxy
