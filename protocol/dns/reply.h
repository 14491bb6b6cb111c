#pragma once

#include "protocol/net/ip_address.h"

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// What a DNS server answers (RFC 1035 4), as far as finding servers needs it.
namespace telltale::dns {

enum class RecordType : std::uint16_t { a = 1, aaaa = 28, srv = 33 };

/// RFC 2782.
struct SrvRecord {
  std::uint16_t priority = 0, weight = 0, port = 0;
  std::string target;  ///< absolute, lower case, without the last dot; empty: the service is decidedly not there
  friend auto operator<=>(const SrvRecord&, const SrvRecord&) = default;
};

/// The records of one type in the answer section, sorted, each once. Those of aliases (CNAME) before them count for the
/// TTL. Whose they are is not looked at: the server was asked for one name and follows aliases itself.
struct Reply {
  std::uint8_t rcode = 0;  ///< 0: no error; 2: server failure; 3: no such name; 5: refused
  std::vector<net::IpAddress> addresses;
  std::vector<SrvRecord> services;
  std::uint32_t ttl_seconds = 0;  ///< the least of theirs; 0 where there are none
  bool is_empty() const { return addresses.empty() && services.empty(); }
};

/// nullopt: it is cut, or not a response. Octets behind the answer section are not looked at.
std::optional<Reply> parse_reply(std::span<const std::uint8_t> message, RecordType type);

}  // namespace telltale::dns
