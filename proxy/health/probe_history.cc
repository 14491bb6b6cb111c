#include "proxy/health/probe_history.h"

namespace telltale::proxy {
namespace {

bool explicit_answer(ProbeOutcome outcome) {
  return outcome == ProbeOutcome::draining || outcome == ProbeOutcome::vague;
}

}  // namespace

HealthState state_for(ProbeOutcome outcome) {
  switch (outcome) {
    case ProbeOutcome::healthy:
      return HealthState::healthy;
    case ProbeOutcome::draining:
      return HealthState::draining;
    case ProbeOutcome::unhealthy:
      return HealthState::unhealthy;
    case ProbeOutcome::vague:
    case ProbeOutcome::not_made:
      return HealthState::unknown;
  }
  return HealthState::unknown;
}

void ProbeHistory::enter(HealthState state) {
  state_ = state;
  successes_ = failures_ = same_ = not_made_ = 0;
}

HealthState ProbeHistory::record(ProbeOutcome outcome) {
  if (outcome == ProbeOutcome::not_made) {
    if (state_ == HealthState::healthy && ++not_made_ >= thresholds_.fall) enter(HealthState::unknown);
    return state_;
  }
  not_made_ = 0;
  const HealthState said = state_for(outcome);
  if (said == state_ || state_ == HealthState::unknown) {
    enter(said);
  } else if (outcome == ProbeOutcome::healthy) {
    failures_ = same_ = 0;
    if (++successes_ >= thresholds_.rise) enter(said);
  } else {
    successes_ = 0;
    return fall(outcome);
  }
  return state_;
}

HealthState ProbeHistory::fall(ProbeOutcome outcome) {
  same_ = outcome == last_ ? same_ + 1 : 1;
  last_ = outcome;
  ++failures_;
  const bool enough = failures_ >= thresholds_.fall || (explicit_answer(outcome) && same_ >= thresholds_.fall_draining);
  if (enough) enter(state_for(outcome));
  return state_;
}

}  // namespace telltale::proxy
