#pragma once

#include "protocol/net/ip_address.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace telltale::proxy_protocol {

enum class Version : std::uint8_t { v1 = 1, v2 = 2 };

/// LOCAL: the sender speaks for itself (a health probe); the socket's own addresses stand. v1 UNKNOWN reads as LOCAL.
enum class Command : std::uint8_t { local, proxy };

enum class Family : std::uint8_t { unspecified, inet, inet6, unix };
enum class Transport : std::uint8_t { unspecified, stream, datagram };

/// What a PROXY protocol header said (haproxy.org, "The PROXY protocol", versions 1 & 2). Family and transport are
/// those of the addresses that it told: unspecified when it told none (LOCAL, UNKNOWN, UNSPEC in either nibble), and
/// INET for two IPv4-mapped ones.
struct Header {
  Version version = Version::v2;
  Command command = Command::local;
  Family family = Family::unspecified;
  Transport transport = Transport::unspecified;
  /// Present only for PROXY with an INET or INET6 block: the address is optional in the type, so that a LOCAL header
  /// can never be re-emitted as a null address (CVE-2024-23327).
  std::optional<net::IpPort> source;
  std::optional<net::IpPort> destination;
  /// AF_UNIX paths, without the padding; empty otherwise.
  std::string source_path;
  std::string destination_path;
  /// The TLV section as received, validated; read it with TlvRange (tlv.h).
  std::string tlvs;

  friend bool operator==(const Header&, const Header&) = default;
};

}  // namespace telltale::proxy_protocol
