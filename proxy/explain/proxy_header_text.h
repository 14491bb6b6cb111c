#pragma once

#include "protocol/net/ip_address.h"

#include <optional>
#include <string>
#include <string_view>

namespace telltale::proxy {

/// A PROXY header as people write it down.
struct WrittenProxyHeader {
  std::string octets;
  std::string error;  ///< what is wrong and what would be right; empty: nothing
};

/// Reads one of:
/// - a v1 line, `PROXY TCP4 192.0.2.1 198.51.100.1 4711 80`, with or without its line end: taken as it is;
/// - hexadecimal digits that begin with `0x`, or with those of a signature: taken as they are;
/// - a short form: `[v1|v2] SOURCE [DESTINATION] [crc32c] [tlv=value …]`, addresses as `192.0.2.1:4711` or without a
///   port, TLVs by name or type as in logs; or `[v1|v2] LOCAL`. v2 unless said; a destination that is missing is
///   `local`.
WrittenProxyHeader read_proxy_header(std::string_view text, const std::optional<net::IpPort>& local);

}  // namespace telltale::proxy
