#pragma once

#include "proxy/health/probe.h"

namespace telltale::proxy {

/// GET over HTTP/1.1, plain or TLS as the target's kind says, judged by judge_healthz(). The connection is kept for the
/// next probe; one that turns out stale, which fails before any octet of an answer, is replaced and the request
/// repeated once, without a word.
Awaitable<void> probe_http(const ProbeTarget& target, ProbeConnection& connection, ProbeTools& tools);
/// An answer like the last one costs one send and one receive, no coroutine and no parsing.
bool probe_http_again(const ProbeTarget& target, ProbeConnection& connection, ProbeTools& tools);

}  // namespace telltale::proxy
