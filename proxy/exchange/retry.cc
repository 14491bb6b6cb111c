#include "proxy/exchange/retry.h"

#include <algorithm>

namespace telltale::proxy {

TryEnd end_of_try(const Failure& failure, bool response_began) {
  if (failure.side != Side::upstream) return TryEnd::other;
  // Whatever went wrong there, nothing was sent: another endpoint may be of the client's family, or have a port left.
  if (failure.phase == Phase::connect || failure.phase == Phase::handshake) {
    return reason_of(failure) == Reason::total_timeout || reason_of(failure) == Reason::shutdown
               ? TryEnd::other
               : TryEnd::connect_failure;
  }
  switch (reason_of(failure)) {
    case Reason::upstream_reset:
    case Reason::upstream_closed:
      return response_began ? TryEnd::other : TryEnd::reset;
    case Reason::per_try_timeout:
    case Reason::response_timeout:
      return TryEnd::timeout;
    default:
      return TryEnd::other;
  }
}

bool may_retry(const conf::Retries& retries, const Attempt& attempt) {
  if (attempt.answered || attempt.retries >= std::min(retries.attempts, max_retry_attempts)) return false;
  switch (attempt.end) {
    case TryEnd::connect_failure:
      return retries.connect_failure && attempt.other_endpoint;
    case TryEnd::reset:
      return retries.reset && attempt.replayable;
    case TryEnd::timeout:
      return retries.timeout && attempt.replayable;
    case TryEnd::status:
      return attempt.replayable;
    case TryEnd::other:
      break;
  }
  return false;
}

bool is_listed(std::span<const conf::StatusRange> ranges, unsigned status) {
  return std::ranges::any_of(ranges, [&](const auto& range) { return status >= range.first && status <= range.last; });
}

}  // namespace telltale::proxy
