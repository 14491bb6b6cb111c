#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/proxy_protocol/header.h"

namespace telltale::proxy_protocol {

/// Type codes of the spec, section 2.2.
enum class TlvType : std::uint8_t {
  alpn = 0x01,
  authority = 0x02,
  crc32c = 0x03,
  noop = 0x04,
  unique_id = 0x05,
  ssl = 0x20,
  netns = 0x30,
};

/// Appends one TLV to a TLV section. `value` is cut by no one: over 65,535 octets is refused (false, nothing appended).
bool append_tlv(std::string& tlvs, TlvType type, std::string_view value);

/// Appends `header` as v1 or v2 octets to `out`. Mixed address families are written as IPv4-mapped IPv6. v1 has no
/// TLVs: header.tlvs is ignored there. LOCAL is v1 `UNKNOWN`. With `with_crc32c` (v2) a CRC32C TLV is computed over the
/// whole header and put last. False, and nothing appended, when the header would exceed 65,535 octets.
bool serialize(const Header& header, std::string& out, bool with_crc32c = false);

}  // namespace telltale::proxy_protocol
