#include "proxy/exchange/hsts.h"

#include "protocol/http1/serializer.h"

#include <chrono>

namespace telltale::proxy {

std::string hsts_line(const conf::Listener& listener) {
  if (!listener.tls || !listener.tls->hsts) return {};
  const conf::Hsts& hsts = *listener.tls->hsts;
  std::string value = "max-age=" + std::to_string(std::chrono::floor<std::chrono::seconds>(hsts.max_age).count());
  if (hsts.include_subdomains) value += "; includeSubDomains";
  if (hsts.preload) value += "; preload";
  std::string line;
  http1::append_field(line, "Strict-Transport-Security", value);
  return line;
}

}  // namespace telltale::proxy
