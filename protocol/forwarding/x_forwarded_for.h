#pragma once

#include "protocol/net/ip_address.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace telltale::forwarding {

/// One entry of X-Forwarded-For, or the value of a single-address header: `192.0.2.1`, `192.0.2.1:4711`,
/// `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`; port 0 if there is none. No white space around it. Zone ids,
/// IPv4 with leading zeros or in other bases, `unknown`, host names and everything else are nullopt. An IPv4-mapped
/// IPv6 address reads as the IPv4 one.
std::optional<net::IpPort> parse_address_entry(std::string_view text);

/// One to five decimal digits, at most 65535 (RFC 7239 6: `port`).
std::optional<std::uint16_t> parse_port(std::string_view text);

}  // namespace telltale::forwarding
