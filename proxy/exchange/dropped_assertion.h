#pragma once

#include "conf/model.h"
#include "proxy/exchange/downstream_side.h"
#include "proxy/exchange/worker_context.h"

#include <string>

namespace telltale::proxy {

/// Why a signed assertion was dropped, the likely mistake and the setting to change: for the log and for `telltale
/// explain`. One line without a full stop. `reason`: one of those of an assertion.
std::string explain_dropped_assertion(forwarding::RejectReason reason, const conf::AssertionTrust& trust);

/// Tells it to the log: one line for each listener, verdict and interval. Nothing of the assertion is in it. The
/// listener believes assertions; `verdict` is not `valid`. Worker's thread.
void report_dropped_assertion(WorkerContext& worker, const ConnectionContext& connection, assertion::Verdict verdict);

}  // namespace telltale::proxy
