#pragma once

#include "proxy/upstream/endpoint.h"

#include <cstdint>
#include <optional>
#include <string>

namespace telltale::proxy {

/// What one probe came to.
enum class ProbeOutcome : std::uint8_t {
  healthy,
  draining,   ///< an explicit 503, or NOT_SERVING of gRPC
  unhealthy,  ///< refused, timed out, reset, wrong status or body, not verified, no HTTP
  vague,      ///< under `strict`: a 200 that says nothing, as a service that was just closed gives
  not_made,   ///< our own fault (no descriptor, no memory, no source port): it says nothing of the target
};

/// The state that a target with nothing but this outcome is in.
HealthState state_for(ProbeOutcome outcome);

struct ProbeResult {
  ProbeOutcome outcome = ProbeOutcome::not_made;
  std::string reason;                  ///< for people, one line of printable ASCII
  bool answered = false;               ///< an HTTP answer came: `weight` is what it said, or that it said nothing
  std::optional<std::int32_t> weight;  ///< X-Load-Balancing-Endpoint-Weight
};

/// From one target's outcomes to its state: health.md, "States", with the thresholds of conf::Health. Pure.
/// - As long as nothing is known, the first outcome decides at once.
/// - `rise` healthy outcomes in a row make it healthy; `fall_draining` 503s (or vague ones) in a row make it draining
///   (or unknown); `fall` failures of any kind in a row make it what the last of them said.
/// - Probes that were not made count for nothing, but that `fall` of them in a row turn `healthy` into `unknown`. Only
///   that: a target that said 503 must not serve again because we cannot ask.
class ProbeHistory {
 public:
  struct Thresholds {
    unsigned rise = 1, fall = 3, fall_draining = 1;  ///< 0 counts as 1
  };

  explicit ProbeHistory(Thresholds thresholds, HealthState state = HealthState::unknown)
      : thresholds_(thresholds), state_(state) {}

  /// The state after this outcome.
  HealthState record(ProbeOutcome outcome);
  HealthState state() const { return state_; }
  /// For what is counted from here on.
  void set_thresholds(Thresholds thresholds) { thresholds_ = thresholds; }

 private:
  void enter(HealthState state);
  HealthState fall(ProbeOutcome outcome);

  Thresholds thresholds_;
  HealthState state_;
  unsigned successes_ = 0;
  unsigned failures_ = 0;  // of any kind
  unsigned same_ = 0;      // of which the last ones were of the kind `last_`
  unsigned not_made_ = 0;
  ProbeOutcome last_ = ProbeOutcome::healthy;
};

}  // namespace telltale::proxy
