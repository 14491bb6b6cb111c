#pragma once

#include "conf/model.h"
#include "protocol/forwarding/client_address.h"
#include "protocol/http/header_block.h"
#include "proxy/explain/explanation.h"

#include <string>

namespace telltale::proxy {

/// The hops of a resolved client, each with the rule or range that let it speak, and the entries that were refused.
void explain_hops(const conf::Listener& listener, const forwarding::PeerInfo& peer, const http::HeaderBlock& fields,
                  const forwarding::ClientAddress& client, Explanation& out);

/// The rule of client_ip.proxy_protocol that a hop falls under: `client_ip.proxy_protocol[0] (10.0.0.0/8, require)`, or
/// that there is none.
std::string describe_proxy_rule(const conf::ClientIp& client_ip, const std::optional<net::IpAddress>& hop);

/// The first of the ranges that holds the address, `unix` for none; empty: none does.
std::string range_of(const net::CidrSet& set, const std::optional<net::IpAddress>& address);

}  // namespace telltale::proxy
