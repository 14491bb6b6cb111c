#pragma once

#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace telltale::proxy {

enum class Side : std::uint8_t { none, downstream, upstream, proxy };
enum class Phase : std::uint8_t {
  none,
  proxy_header,
  request_head,
  request_body,
  routing,
  pick,
  connect,
  handshake,  ///< of TLS with the backend: nothing of the request was sent yet
  request_write,
  response_head,
  response_body,
  response_write
};
std::string_view to_string(Side side);
std::string_view to_string(Phase phase);

/// Why a request was refused, answered by us with an error, or cut: one stable word for logs and metrics. What each
/// means, and its status: proxy/README.md, "Reasons".
enum class Reason : std::uint8_t {
  none,
  // The client's.
  bad_request,
  header_timeout,
  body_timeout,
  body_too_large,
  client_closed,
  client_timeout,
  // Nobody was asked.
  no_route,
  no_endpoint,
  no_local_endpoint,
  max_requests,
  max_pending,
  pending_timeout,
  no_resources,
  no_source_address,
  proxy_header_too_long,
  // Connecting.
  connect_refused,
  connect_timeout,
  connect_failed,
  tls_verify_failed,
  tls_handshake_failed,
  // Somebody was asked.
  per_try_timeout,
  response_timeout,
  idle_timeout,
  total_timeout,
  upstream_reset,
  upstream_closed,
  bad_response,
  bad_status,
  // Ours.
  shutdown,
  internal,
  count_
};
inline constexpr std::size_t reason_count = static_cast<std::size_t>(Reason::count_);
/// Empty for none.
std::string_view to_string(Reason reason);

/// What went wrong, and where.
struct Failure {
  boost::system::error_code error;
  Side side = Side::none;
  Phase phase = Phase::none;
  Reason reason = Reason::none;  ///< where side, phase and error do not tell
  explicit operator bool() const { return side != Side::none; }
};

/// The given one, or what side, phase and error tell. none: there was no failure.
Reason reason_of(const Failure& failure);

/// What a failure itself does not tell of the try that it ended.
struct TryFacts {
  bool at_once = false;         ///< this host did not even begin to connect
  bool reused = false;          ///< on a connection that came out of the pool
  bool answered = false;        ///< octets of a response came
  bool client_delayed = false;  ///< the backend waited for the client: for more of its request, or until it took more
};

/// Whether it counts against the endpoint (conf::Ejection): proxy/health/ejection.md says of each reason why. A status
/// is judged apart: for Reason::bad_status the answer is false.
bool is_endpoints_fault(const Failure& failure, const TryFacts& facts);

/// For people: what the error says, else the reason; empty without a failure.
std::string describe(const Failure& failure);

/// The status for a failure when no response head has left yet: 4xx for the client's faults, 502/503/504 for
/// upstream's.
unsigned status_for(const Failure& failure);

}  // namespace telltale::proxy
