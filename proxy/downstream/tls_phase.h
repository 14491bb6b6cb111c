#pragma once

#include "proxy/downstream/connection.h"
#include "proxy/net/event_loop.h"

namespace telltale::proxy {

/// Terminates TLS on a connection whose PROXY headers were read, within the handshake timeout, and writes what was
/// agreed on to its context. False: close; the cause is counted. Plain HTTP is answered 400 in clear.
Awaitable<bool> accept_tls(Connection& connection);

}  // namespace telltale::proxy
