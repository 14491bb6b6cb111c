#pragma once

#include "protocol/forwarding/client_address.h"
#include "protocol/forwarding/request_facts.h"
#include "proxy/exchange/failure.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace telltale::proxy {

/// One request as the access log tells it. Views: valid only during AccessLog::write().
struct AccessRecord {
  std::chrono::system_clock::time_point time;
  std::uint64_t request_id_high = 0, request_id_low = 0;  ///< 128 bits, printed as 32 hex digits
  const forwarding::ClientAddress* client = nullptr;
  const forwarding::PeerInfo* peer = nullptr;
  const forwarding::TlsFacts* tls = nullptr;                  ///< null: the client spoke no TLS to us
  std::string_view listener, route, service, node, endpoint;  ///< empty: did not come to it
  std::string_view method, host, target, protocol;            ///< protocol: HTTP/1.1
  std::string_view user_agent;
  unsigned status = 0;                               ///< 0: the client got none
  std::uint64_t bytes_received = 0, bytes_sent = 0;  ///< body octets from / to the client
  std::chrono::nanoseconds duration{};               ///< first octet of the request to last of the response
  std::chrono::nanoseconds connect_duration{};       ///< 0: pooled connection
  std::chrono::nanoseconds response_duration{};      ///< request sent to response head
  unsigned tries = 0;
  bool reused_connection = false;
  Failure failure;
  std::string_view failure_detail;
  Side ended_by = Side::none;  ///< of a tunnel or of TCP: whose end or failure was the first
};

}  // namespace telltale::proxy
