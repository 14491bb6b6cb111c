#pragma once

#include "proxy/net/event_loop.h"

namespace telltale::proxy {

class Connection;

/// Serves one connection of a listener with `protocol: tcp`, whose PROXY phase is over: picks an endpoint of the
/// listener's service, connects (with the PROXY header that the service wants, from the client's own address where it
/// wants that), and moves octets both ways until both sides have ended, one fails, or nothing moved for
/// `timeouts.idle`. A side that ends is passed on as a FIN, and the other goes on; a side that breaks is passed on as a
/// RST, so that nobody takes a part for the whole. When nobody can be connected to, the client gets a RST. Writes the
/// access log. Worker's thread.
Awaitable<> serve_tcp(Connection& connection);

}  // namespace telltale::proxy
