#pragma once

#include <string_view>

#include "conf/model.h"
#include "proxy/downstream/connection.h"
#include "proxy/net/event_loop.h"

namespace telltale::proxy {

/// The policy for this peer: the first rule that names it, else forbid (identity.md, layer 2).
conf::ProxyPolicy proxy_policy_for(const conf::ClientIp& client_ip, const forwarding::PeerInfo& peer);

/// Reads the PROXY headers that this peer must or may send, within the header timeout, and writes what they say to the
/// connection's PeerInfo. False: close; the cause is counted, and logged once unless it is a bare probe.
Awaitable<bool> read_proxy_headers(Connection& connection, conf::ProxyPolicy policy);

/// May be the beginning of a PROXY header, v1 or v2.
bool starts_like_proxy_header(std::string_view octets);
/// For octets that start like one where none may come: from a peer that is not listed, or once more than declared.
/// True: it was none after all (`PROPFIND`), nothing is lost. False: it was one; close.
Awaitable<bool> refuse_proxy_header(Connection& connection);

}  // namespace telltale::proxy
