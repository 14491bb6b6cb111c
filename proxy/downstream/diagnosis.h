#pragma once

#include "conf/model.h"
#include "protocol/forwarding/client_address.h"
#include "proxy/observe/metrics.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace telltale::proxy {

struct ProxyProblem;

/// Of octets that no header can explain, this many are shown.
inline constexpr std::size_t shown_first_octets = 16;

/// What came where a PROXY header had to: plain_http, tls_client_hello, or no_header for anything else.
ProxyFailure diagnose_first_octets(std::string_view octets);

/// The likely mistake behind a failure, and the setting to change, for the log and for `telltale explain`. One line
/// without a full stop. `rule` is the one that `peer` fell under.
std::string explain_proxy_problem(const ProxyProblem& problem, const conf::ClientIp& client_ip,
                                  const conf::ProxyProtocolRule& rule, const forwarding::PeerInfo& peer);

}  // namespace telltale::proxy
