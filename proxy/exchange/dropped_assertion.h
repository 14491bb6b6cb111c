#pragma once

#include "conf/model.h"
#include "proxy/exchange/downstream_side.h"
#include "proxy/exchange/worker_context.h"

#include <cstdint>
#include <string>

namespace telltale::proxy {

/// Why a signed assertion was dropped, the likely mistake and the setting to change: for the log and for `telltale
/// explain`. One line without a full stop. `reason`: one of those of an assertion.
std::string explain_dropped_assertion(forwarding::RejectReason reason, const conf::AssertionTrust& trust);

/// Where an assertion came, for people: `X-Telltale-Client`; or `PROXY TLV 0xE4` with a type other than 0.
std::string assertion_place(std::uint8_t tlv);

/// Tells it to the log: one line for each listener, verdict and interval. Nothing of the assertion is in it. The
/// listener believes assertions; `verdict` is not `valid`; `tlv`: the type of the TLV that it came in, 0 for the header
/// field. Worker's thread.
void report_dropped_assertion(WorkerContext& worker, const ConnectionContext& connection, assertion::Verdict verdict,
                              std::uint8_t tlv);

}  // namespace telltale::proxy
