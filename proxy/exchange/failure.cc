#include "proxy/exchange/failure.h"

#include "protocol/http1/parser.h"

#include <boost/system/errc.hpp>

#include <array>

namespace telltale::proxy {
namespace {

constexpr std::array<std::string_view, 4> side_names = {"none", "downstream", "upstream", "proxy"};
constexpr std::array<std::string_view, 11> phase_names = {
    "none",    "proxy_header",  "request_head",  "request_body",  "routing",       "pick",
    "connect", "request_write", "response_head", "response_body", "response_write"};

namespace errc = boost::system::errc;

bool is_http1(const boost::system::error_code& error) { return error.category() == http1::error_category(); }

/// We ran out of something that comes back by itself.
bool is_exhaustion(const boost::system::error_code& error) {
  return error == errc::too_many_files_open || error == errc::too_many_files_open_in_system ||
         error == errc::no_buffer_space || error == errc::not_enough_memory || error == errc::address_in_use ||
         error == errc::address_not_available;
}

unsigned status_for_downstream(const Failure& failure) {
  if (is_http1(failure.error)) return http1::status_for(failure.error);
  if (failure.error == errc::timed_out) return 408;     // RFC 9110 15.5.9
  if (failure.error == errc::message_size) return 413;  // RFC 9110 15.5.14
  return 400;
}

unsigned status_for_upstream(const Failure& failure) {
  if (failure.phase == Phase::pick) return 503;
  if (failure.error == errc::timed_out) return 504;  // RFC 9110 15.6.5
  // Our own shortage of descriptors or ports is met while connecting, and is no gateway's fault.
  if (failure.phase == Phase::connect && is_exhaustion(failure.error)) return 503;
  return 502;  // RFC 9110 15.6.3
}

unsigned status_for_proxy(const Failure& failure) {
  if (failure.phase == Phase::routing) return 404;
  if (failure.phase == Phase::pick || is_exhaustion(failure.error)) return 503;
  return 500;
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

unsigned status_for(const Failure& failure) {
  switch (failure.side) {
    case Side::downstream:
      return status_for_downstream(failure);
    case Side::upstream:
      return status_for_upstream(failure);
    case Side::proxy:
      return status_for_proxy(failure);
    case Side::none:
      break;
  }
  return 500;  // asked for without a failure: ours
}

}  // namespace telltale::proxy
