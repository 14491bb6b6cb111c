#pragma once

#include "protocol/net/ip_address.h"

namespace telltale::proxy {

/// Whether this machine (or network namespace) has a route to the address, for what that is worth: nothing is sent. An
/// IPv6 link-local address has none, because it does not say on which link. Any thread; two or three system calls.
bool has_route(const net::IpAddress& address);

}  // namespace telltale::proxy
