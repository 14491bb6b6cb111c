#pragma once

#include "conf/model.h"
#include "proxy/downstream/connection.h"
#include "proxy/net/event_loop.h"

#include <string_view>

namespace telltale::proxy {

/// Reads the PROXY headers that this peer must or may send by its rule, within the header timeout, and writes what they
/// say to the connection's PeerInfo. False: close; the cause is counted, and logged unless it is a bare probe.
Awaitable<bool> read_proxy_headers(Connection& connection, const conf::ProxyProtocolRule& rule);

/// For octets that start like one where none may come: from a peer that is not listed, or once more than declared.
/// True: it was none after all (`PROPFIND`), nothing is lost. False: it was one; close.
Awaitable<bool> refuse_proxy_header(Connection& connection);

}  // namespace telltale::proxy
