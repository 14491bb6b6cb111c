#pragma once

#include "protocol/forwarding/client_address.h"
#include "protocol/http/header_block.h"

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace telltale::forwarding::test {

inline net::IpPort node(std::string_view text) { return *net::parse_ip_port(text); }

inline net::CidrSet cidrs(std::initializer_list<const char*> texts, bool includes_unix = false) {
  std::vector<net::Cidr> ranges;
  for (const char* text : texts) ranges.push_back(*net::Cidr::parse(text));
  return net::CidrSet(std::move(ranges), includes_unix);
}

/// One field a line, `Name: value`.
inline http::HeaderBlock fields(std::string_view lines) {
  http::HeaderBlock block;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(line.size() == lines.size() ? line.size() : line.size() + 1);
    const std::size_t colon = line.find(':');
    std::string_view value = line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    block.append(line.substr(0, colon), value);
  }
  return block;
}

inline HeaderTrust trust(HeaderTrust::Kind kind, std::string name, net::CidrSet trusted, unsigned hops = 0) {
  HeaderTrust t;
  t.kind = kind;
  t.field = http::field_id(name);
  t.name = std::move(name);
  t.trusted = std::move(trusted);
  t.trusted_hops = hops;
  return t;
}
inline HeaderTrust xff(net::CidrSet trusted, unsigned hops = 0) {
  return trust(HeaderTrust::Kind::x_forwarded_for, "x-forwarded-for", std::move(trusted), hops);
}
inline HeaderTrust forwarded(net::CidrSet trusted, unsigned hops = 0) {
  return trust(HeaderTrust::Kind::forwarded, "forwarded", std::move(trusted), hops);
}
inline HeaderTrust single(std::string name, net::CidrSet trusted) {
  return trust(HeaderTrust::Kind::single_address, std::move(name), std::move(trusted));
}

/// A TCP peer that aimed at 203.0.113.1:80.
inline PeerInfo tcp(std::string_view peer) {
  PeerInfo info;
  info.socket_peer = node(peer);
  info.socket_local = node("203.0.113.1:80");
  return info;
}
inline PeerInfo proxied(std::string_view peer, std::string_view source, std::string_view destination) {
  PeerInfo info = tcp(peer);
  info.has_proxy_header = true;
  info.proxy_source = node(source);
  info.proxy_destination = node(destination);
  return info;
}

}  // namespace telltale::forwarding::test
