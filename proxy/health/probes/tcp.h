#pragma once

#include "proxy/health/probe.h"

namespace telltale::proxy {

/// Healthy if the connection is made. It is closed again at once, after a PROXY header if one is asked for.
Awaitable<void> probe_tcp(const ProbeTarget& target, ProbeConnection& connection, ProbeTools& tools);

}  // namespace telltale::proxy
