#pragma once

#include "protocol/net/ip_address.h"
#include "protocol/proxy_protocol/header.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace telltale::proxy {

/// What the echo backend was told in one request.
struct EchoRequest {
  static constexpr std::size_t max_shown_body = 64 * 1024;

  std::optional<net::IpPort> peer;   ///< who opened the connection; nullopt: a Unix socket
  std::optional<net::IpPort> local;  ///< the address that it was opened to
  std::string method;
  std::string target;  ///< as in the request line
  unsigned http_minor = 1;
  std::vector<std::pair<std::string, std::string>>
      headers;                                  ///< names in lower case, sorted; lines of one name as they came
  std::optional<proxy_protocol::Header> proxy;  ///< what the connection began with
  std::string body;                             ///< the first max_shown_body octets of it
  std::uint64_t body_size = 0;

  std::string_view path() const;                  ///< the target without scheme, authority and query
  std::optional<std::string_view> query() const;  ///< what follows `?`
  /// The first line of that name; empty: none.
  std::string_view header(std::string_view lower_case_name) const;
};

/// The layout of echoserver:1.4, which the Kubernetes tutorial "Using Source IP" shows, and a PROXY PROTOCOL section
/// when there was such a header.
std::string echo_as_text(const EchoRequest& request);

/// {client_address, client_port, method, path, query, version, headers: {name: [value…]}, proxy_protocol: null or
/// {version, command, source, destination, tlvs: {name: text}}, body, body_size}. TLVs have the names and texts of
/// protocol/proxy_protocol/tlv_names.h.
std::string echo_as_json(const EchoRequest& request);

/// Whether an Accept field (RFC 9110 12.5.1) asks for JSON by name.
bool accepts_json(std::string_view accept);

}  // namespace telltale::proxy
