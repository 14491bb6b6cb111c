#include "proxy/exchange/failure.h"

#include "protocol/http1/parser.h"
#include "proxy/net/tls_error.h"
#include "proxy/net/transparent_source.h"

#include <boost/asio/error.hpp>
#include <boost/system/errc.hpp>

#include <array>

namespace telltale::proxy {
namespace {

constexpr std::array<std::string_view, 4> side_names = {"none", "downstream", "upstream", "proxy"};
constexpr std::array<std::string_view, 12> phase_names = {
    "none",    "proxy_header", "request_head",  "request_body",  "routing",       "pick",
    "connect", "handshake",    "request_write", "response_head", "response_body", "response_write"};

struct ReasonRow {
  std::string_view name;
  unsigned status;               ///< RFC 9110 15.5, 15.6; 0: by the error
  bool of_the_endpoint = false;  ///< on the upstream side it is the endpoint's fault, unless the try says otherwise
};
constexpr std::array<ReasonRow, reason_count> reasons = {{
    {"", 500},  // asked for without a failure: ours
    {"bad_request", 0},
    {"header_timeout", 408},
    {"body_timeout", 408},
    {"body_too_large", 413},
    {"client_closed", 400},
    {"client_timeout", 408},
    {"no_route", 404},
    {"no_endpoint", 503},
    {"no_local_endpoint", 503},
    {"max_requests", 503},
    {"max_pending", 503},
    {"pending_timeout", 503},
    {"no_resources", 503},  // of our own, and it comes back by itself: no gateway's fault
    {"no_source_address", 502},
    {"proxy_header_too_long", 500},
    {"connect_refused", 502, true},
    {"connect_timeout", 504, true},
    {"connect_failed", 502, true},
    {"tls_verify_failed", 502, true},
    {"tls_handshake_failed", 502, true},
    {"per_try_timeout", 504, true},
    {"response_timeout", 504, true},
    {"idle_timeout", 504},
    {"total_timeout", 504},
    {"upstream_reset", 502, true},
    {"upstream_closed", 502, true},
    {"bad_response", 502, true},
    {"bad_status", 502},
    {"shutdown", 503},
    {"internal", 500},
}};
static_assert(!reasons.back().name.empty(), "a row for each");

namespace errc = boost::system::errc;
using boost::system::error_code;

bool is_http1(const error_code& error) { return error.category() == http1::error_category(); }

/// We ran out of something that comes back by itself.
bool is_exhaustion(const error_code& error) {
  return error == errc::too_many_files_open || error == errc::too_many_files_open_in_system ||
         error == errc::no_buffer_space || error == errc::not_enough_memory || error == errc::address_in_use ||
         error == errc::address_not_available;
}

/// What connect() says at once of a Unix socket whose server is gone or is overrun. Whatever else it says at once is of
/// this host: no route, a policy, a family that it does not have.
bool is_of_a_unix_socket(const error_code& error) {
  return error == errc::no_such_file_or_directory || error == errc::resource_unavailable_try_again;
}

/// What says that the peer is gone, or what the operating system says of a connection; the rest are our own errors.
bool is_of_a_connection(const error_code& error) {
  return error == boost::asio::error::eof || error.category() == boost::system::system_category() ||
         error.category() == boost::system::generic_category() || error.category() == tls_category();
}

Reason downstream_reason(Phase phase, const error_code& error) {
  if (error == errc::timed_out) {
    if (phase == Phase::request_head || phase == Phase::proxy_header) return Reason::header_timeout;
    return phase == Phase::request_body ? Reason::body_timeout : Reason::client_timeout;
  }
  if (error == errc::message_size) return Reason::body_too_large;
  return is_of_a_connection(error) && error ? Reason::client_closed : Reason::bad_request;
}

Reason connect_reason(const error_code& error) {
  if (error == errc::timed_out) return Reason::connect_timeout;
  if (error == errc::connection_refused) return Reason::connect_refused;
  if (is_exhaustion(error)) return Reason::no_resources;
  if (error.category() == make_error_code(SourceError::other_family).category()) return Reason::no_source_address;
  return Reason::connect_failed;
}

Reason handshake_reason(const error_code& error) {
  if (error == errc::timed_out) return Reason::connect_timeout;
  if (is_exhaustion(error)) return Reason::no_resources;
  return is_tls_verify_error(error) ? Reason::tls_verify_failed : Reason::tls_handshake_failed;
}

Reason upstream_reason(Phase phase, const error_code& error) {
  if (phase == Phase::pick) return Reason::no_endpoint;
  if (phase == Phase::connect) return connect_reason(error);
  if (phase == Phase::handshake) return handshake_reason(error);
  if (error == errc::timed_out) return phase == Phase::response_body ? Reason::idle_timeout : Reason::response_timeout;
  if (error == boost::asio::error::eof || error == tls_truncated()) return Reason::upstream_closed;
  // With TLS 1.3 our handshake is over before the backend has seen our certificate.
  if (phase == Phase::response_head && is_about_our_certificate(error)) return Reason::tls_handshake_failed;
  if (is_http1(error) || error == errc::protocol_error) return Reason::bad_response;
  return Reason::upstream_reset;
}

Reason proxy_reason(Phase phase, const error_code& error) {
  if (phase == Phase::routing) return Reason::no_route;
  if (phase == Phase::pick) return Reason::no_endpoint;
  if (is_exhaustion(error)) return Reason::no_resources;
  if (error == errc::message_size) return Reason::proxy_header_too_long;
  return Reason::internal;
}

}  // namespace

std::string_view to_string(Side side) {
  const auto i = static_cast<std::size_t>(side);
  return i < side_names.size() ? side_names[i] : "none";
}

std::string_view to_string(Phase phase) {
  const auto i = static_cast<std::size_t>(phase);
  return i < phase_names.size() ? phase_names[i] : "none";
}

std::string_view to_string(Reason reason) {
  const auto i = static_cast<std::size_t>(reason);
  return i < reasons.size() ? reasons[i].name : "";
}

Reason reason_of(const Failure& failure) {
  if (failure.reason != Reason::none || !failure) return failure.reason;
  if (failure.error == boost::asio::error::operation_aborted) return Reason::shutdown;
  switch (failure.side) {
    case Side::downstream:
      return downstream_reason(failure.phase, failure.error);
    case Side::upstream:
      return upstream_reason(failure.phase, failure.error);
    default:
      return proxy_reason(failure.phase, failure.error);
  }
}

std::string describe(const Failure& failure) {
  if (reason_of(failure) == Reason::tls_verify_failed && failure.error) {
    return "certificate verify failed: " + failure.error.message();
  }
  return failure && failure.error ? failure.error.message() : std::string(to_string(reason_of(failure)));
}

bool is_endpoints_fault(const Failure& failure, const TryFacts& facts) {
  const Reason reason = reason_of(failure);
  if (failure.side != Side::upstream || !reasons[static_cast<std::size_t>(reason)].of_the_endpoint) return false;
  switch (reason) {
    case Reason::connect_failed:
      return !facts.at_once || is_of_a_unix_socket(failure.error);
    case Reason::upstream_reset:
    case Reason::upstream_closed:
      return (facts.answered || !facts.reused) && !facts.client_delayed;
    default:
      return true;
  }
}

unsigned status_for(const Failure& failure) {
  const unsigned status = reasons[static_cast<std::size_t>(reason_of(failure))].status;
  if (status != 0) return status;
  return is_http1(failure.error) ? http1::status_for(failure.error) : 400;
}

}  // namespace telltale::proxy
