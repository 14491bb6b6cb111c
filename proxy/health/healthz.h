#pragma once

#include "proxy/health/probe_history.h"

#include <optional>
#include <string_view>

namespace telltale::proxy {

/// What an answer of a health port means (health.md, "Probing a node's /healthz"; Kubernetes pkg/proxy/healthcheck).
/// The status decides: 2xx is healthy, 503 draining, all else unhealthy. The body (kube-proxy's JSON, or the text of
/// before it) only makes the reason readable. `weight` is the field's value as it came; anything but a plain number up
/// to 1,000,000 counts as not sent.
ProbeResult judge_healthz(unsigned status, std::string_view body, std::optional<std::string_view> weight, bool strict);

}  // namespace telltale::proxy
