#pragma once

#include "proxy/downstream/connection.h"
#include "proxy/net/event_loop.h"

#include <string>

namespace telltale::proxy {

/// What became of the look at a ClientHello.
struct PeekedHello {
  bool go_on = true;      ///< false: the client went away before, close
  std::string complaint;  ///< why nothing is known of it; empty: it is
};

/// Looks at the ClientHello of a connection whose TLS is for the backend, within `timeouts.header`, and writes the name
/// that it asks for and the protocols that it offers to the connection's context. Every octet stays to be read. What
/// is no ClientHello, a malformed or a late one goes on, too, with nothing known: its route is one that asks for
/// nothing. Counted by HelloVerdict.
Awaitable<PeekedHello> peek_client_hello(Connection& connection);

}  // namespace telltale::proxy
