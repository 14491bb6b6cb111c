#pragma once

#include "conf/model_service.h"
#include "proxy/exchange/failure.h"

#include <cstdint>
#include <span>

namespace telltale::proxy {

/// How a try ended, as far as another one could help.
enum class TryEnd : std::uint8_t {
  connect_failure,  ///< nothing was sent
  reset,            ///< the connection ended before any octet of a response
  timeout,          ///< no response head in time
  status,           ///< a response with one of Retries::statuses
  other
};
/// `response_began`: octets of a response came. For everything but a status.
TryEnd end_of_try(const Failure& failure, bool response_began);

/// What decides whether there is another try.
struct Attempt {
  TryEnd end = TryEnd::other;
  bool replayable = false;     ///< idempotent (RFC 9110 9.2.2), and no octet of a body was taken from the client
  bool answered = false;       ///< the client got something already, be it an interim head
  bool other_endpoint = true;  ///< one may be chosen that was not tried yet
  unsigned retries = 0;        ///< made so far
};

inline constexpr unsigned max_retry_attempts = 3;  ///< conf::Retries::attempts is at most this

/// What the policy says of it; budget and limit are LocalService::admit_retry()'s. After a failed connect there must
/// be another endpoint: the same one would refuse again at this very moment (HAProxy waits a second before it tries the
/// same server again; nginx never does). After anything else the same endpoint is asked again if there is no other, as
/// HAProxy and Envoy do.
bool may_retry(const conf::Retries& retries, const Attempt& attempt);

bool is_listed(std::span<const conf::StatusRange> ranges, unsigned status);

}  // namespace telltale::proxy
