#include "proxy/tls/tls_peer.h"

namespace telltale::proxy {

TlsPeer tls_peer(const conf::BackendTls& tls, std::string_view host) {
  TlsPeer peer;
  const std::string_view name = tls.sni.empty() ? host : std::string_view(tls.sni);
  peer.address = net::IpAddress::parse(name);
  if (!peer.address) peer.name = name;
  return peer;
}

TlsPeer tls_peer(const conf::BackendTls& tls, std::string_view found_by, const conf::Address& address) {
  if (!tls.sni.empty() || !found_by.empty()) return tls_peer(tls, found_by);
  if (!address.ip) return {.name = "localhost", .address = std::nullopt};
  return {.name = {}, .address = address.ip->address};
}

}  // namespace telltale::proxy
