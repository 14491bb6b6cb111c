#pragma once

#include <boost/system/error_code.hpp>

#include <cstdint>
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
  request_write,
  response_head,
  response_body,
  response_write
};
std::string_view to_string(Side side);
std::string_view to_string(Phase phase);

/// What went wrong, where, and whether another try could help. Chooses 400, 502, 504 or a retry without guessing.
struct Failure {
  boost::system::error_code error;
  Side side = Side::none;
  Phase phase = Phase::none;
  bool retryable = false;  ///< no octet of the request was sent
  explicit operator bool() const { return side != Side::none; }
};

/// The status for a failure when no response head has left yet: 4xx for the client's faults, 502/503/504 for
/// upstream's.
unsigned status_for(const Failure& failure);

}  // namespace telltale::proxy
