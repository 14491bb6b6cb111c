#pragma once

#include "proxy/net/event_loop.h"
#include "proxy/net/stream.h"

namespace telltale::proxy {

/// Ends our side and reads on for a while: a client that is still sending when it is refused must be able to read why.
/// Closing with octets unread would reset the connection under the answer (RFC 9112 9.6).
Awaitable<> linger(Stream& stream);

}  // namespace telltale::proxy
