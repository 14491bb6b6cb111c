#pragma once

#include "protocol/http1/head.h"
#include "proxy/downstream/connection.h"

namespace telltale::proxy {

/// Once a connection, with its first request: counts where it comes from, unless somebody vouches for the client's
/// address or the peer is this machine itself or a known health checker. See observe/source_loss.h.
void count_source(Connection& connection, const http1::RequestHead& first_request);

}  // namespace telltale::proxy
