#include "proxy/downstream/source_watch.h"

#include <algorithm>
#include <string_view>

namespace telltale::proxy {
namespace {

/// How those who ask from a node or a gateway by right begin their User-Agent.
constexpr std::string_view health_checkers[] = {"kube-probe/", "ELB-HealthChecker/", "GoogleHC/", "Envoy/HC",
                                                "telltale-probe/"};

bool is_health_check(const http1::RequestHead& request) {
  for (const auto field : request.fields) {
    if (!http::folded_equal(field.name, "user-agent")) continue;
    return std::ranges::any_of(health_checkers, [&](std::string_view name) { return field.value.starts_with(name); });
  }
  return false;
}

}  // namespace

void count_source(Connection& connection, const http1::RequestHead& first_request) {
  const auto& context = connection.context();
  const auto& client_ip = context.listener->client_ip;
  const auto& peer = context.peer;
  if (!client_ip.detect_source_loss || !peer.socket_peer || peer.has_proxy_header) return;
  const net::IpAddress& address = peer.socket_peer->address;
  if (peer.socket_local && peer.socket_local->address == address) return;
  if (client_ip.header.trusted.contains(address)) return;
  const bool is_infrastructure = context.snapshot->infrastructure[context.listener_index].contains(address);
  if (is_infrastructure && is_health_check(first_request)) return;
  const bool claims_client =
      client_ip.header.kind != forwarding::HeaderTrust::Kind::none && first_request.fields.has(client_ip.header.field);
  connection.worker().sources[context.listener_index].count(address, is_infrastructure, claims_client);
}

}  // namespace telltale::proxy
