#pragma once

#include "protocol/net/ip_address.h"

#include <string_view>
#include <vector>

namespace telltale::proxy {

/// The addresses of the routers that this machine (or network namespace) sends through; link-local ones left out. In a
/// container that is the bridge, from which whatever was masqueraded on the host seems to come. Empty when the system
/// does not say. Reads /proc.
std::vector<net::IpAddress> read_gateways();

/// The two parts of it, on the text of /proc/net/route and /proc/net/ipv6_route.
std::vector<net::IpAddress> parse_ipv4_gateways(std::string_view text);
std::vector<net::IpAddress> parse_ipv6_gateways(std::string_view text);

}  // namespace telltale::proxy
