#pragma once

#include "proxy/health/probe_connection.h"
#include "proxy/health/probe_history.h"
#include "proxy/health/probe_target.h"

namespace telltale::proxy {

/// Asks `target` once. `target` and `connection` must outlive it; it ends soon after connection.expire(). Never throws
/// for what a peer does.
using Probe = ProbeAwaitable<ProbeResult> (*)(const ProbeTarget& target, ProbeConnection& connection);

/// The probe of this kind, from the registry of proxy/health/probes/.
Probe probe_for(conf::ProbeKind kind);

}  // namespace telltale::proxy
