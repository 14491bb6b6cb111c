#pragma once

#include "conf/model_service.h"
#include "proxy/health/body_patterns.h"
#include "proxy/health/probe_history.h"

#include <optional>
#include <string_view>

namespace telltale::proxy {

/// What an answer over HTTP means (health.md, "Probing a node's /healthz"; Kubernetes pkg/proxy/healthcheck).
/// - The status decides: one of `health.expect_statuses` (2xx) is healthy, any other 503 draining, all else unhealthy.
/// - Of a healthy one the body must have what `expect_body` looks for; an empty one is vague under `strict`.
/// - Otherwise the body (kube-proxy's JSON, or the text of before it) only makes the reason readable.
/// `weight` is the field's value as it came; anything but a plain number up to 1,000,000 counts as not sent.
ProbeResult judge_healthz(unsigned status, std::string_view body, std::optional<std::string_view> weight,
                          const conf::Health& health, BodyPatterns& patterns);

}  // namespace telltale::proxy
