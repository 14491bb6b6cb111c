#pragma once

#include "proxy/health/probe.h"

namespace telltale::proxy {

struct GrpcAnswer;

/// Calls grpc.health.v1.Health/Check over HTTP/2 without TLS (prior knowledge). The connection is kept for the next
/// probe; one that turns out stale is replaced and the call repeated once, without a word.
Awaitable<void> probe_grpc(const ProbeTarget& target, ProbeConnection& connection, ProbeTools& tools);

/// SERVING is healthy; NOT_SERVING draining, for it says so explicitly, as a 503 does (which counts the same);
/// all else is unhealthy.
ProbeResult judge_grpc(const GrpcAnswer& answer);

}  // namespace telltale::proxy
