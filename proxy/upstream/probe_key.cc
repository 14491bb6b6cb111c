#include "proxy/upstream/probe_key.h"

#include <type_traits>

namespace telltale::proxy {

std::string probe_key(const conf::Health& health, const std::string& host, const conf::Address& address,
                      const std::string& host_name) {
  std::string key;
  const auto add = [&key](const auto& value) {
    if constexpr (std::is_arithmetic_v<std::decay_t<decltype(value)>>) {
      key += std::to_string(value);
    } else {
      key += value;
    }
    key += '\n';  // in none of the values
  };
  add(address.to_string());
  add(static_cast<int>(health.kind));
  add(static_cast<int>(health.send_proxy));
  add(health.interval.count());
  add(health.fast_interval.count());
  add(health.timeout.count());
  add(health.rise);
  add(health.fall);
  if (health.kind == conf::ProbeKind::tcp) return key;
  add(health.fall_draining);
  add(health.strict);
  add(health.path);
  add(host);
  add(health.grpc_service);
  for (const auto& [name, value] : health.headers) add(name), add(value);
  for (const auto& range : health.expect_statuses) add(range.first), add(range.last);
  add(health.expect_body);
  if (health.kind != conf::ProbeKind::https) return key;
  add(health.tls.sni);
  add(static_cast<int>(health.tls.verify));
  add(health.tls.ca_file);
  add(health.tls.client_certificate ? health.tls.client_certificate->certificate : std::string());
  add(health.tls.client_certificate ? health.tls.client_certificate->key : std::string());
  if (health.tls.sni.empty() && health.host.empty()) add(host_name);
  return key;
}

}  // namespace telltale::proxy
