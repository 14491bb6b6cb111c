#pragma once

#include "protocol/forwarding/propagate.h"

#include <string>

namespace telltale::proxy {

/// Appends the PROXY header with which a connection to a backend opens for this request, and the pool's key for it: the
/// same without what differs by connection, the unique id, which is the request's, the signed assertion, of which it
/// has the authority alone, and the checksum. False: the header would be too long, and a backend must not be reached
/// without it. Only where propagate.proxy_protocol is set.
bool append_proxy_prologue(const forwarding::Propagate& propagate, const forwarding::RequestFacts& facts,
                           std::string& octets, std::string& identity);

}  // namespace telltale::proxy
