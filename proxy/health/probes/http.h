#pragma once

#include "proxy/health/probe.h"

#include <cstddef>

namespace telltale::proxy {

/// What is read of an answer's body before it is judged as it is.
inline constexpr std::size_t max_probe_body_bytes = 64 * 1024;
/// A longer head is a failure.
inline constexpr std::size_t max_probe_head_bytes = 8 * 1024;

/// GET over HTTP/1.1, judged by judge_healthz(). The connection is kept for the next probe; one that turns out stale,
/// which fails before any octet of an answer, is replaced and the request repeated once, without a word.
ProbeAwaitable<ProbeResult> probe_http(const ProbeTarget& target, ProbeConnection& connection);

}  // namespace telltale::proxy
