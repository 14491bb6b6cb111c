#pragma once

#include "proxy/net/event_loop.h"

#include <string_view>

namespace telltale::proxy {

class Connection;

/// Serves one connection of a listener with `protocol: tcp`, whose PROXY and TLS phases are over: finds its route by
/// what is known of it, picks an endpoint of the route's service, connects (with the PROXY header that the service
/// wants, from the client's own address where it wants that), and moves octets both ways until both sides have ended,
/// one fails, or nothing moved for `timeouts.idle`. A side that ends is passed on as a FIN, and the other goes on; a
/// side that breaks is passed on as a RST, so that nobody takes a part for the whole. When nobody can be connected to,
/// the client gets a RST; when no route is for it, it is closed. Writes the access log. `peeked`: why nothing is known
/// of the client's TLS, when that was asked for. Worker's thread.
Awaitable<> serve_tcp(Connection& connection, std::string_view peeked = {});

}  // namespace telltale::proxy
