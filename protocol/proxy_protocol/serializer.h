#pragma once

#include "protocol/proxy_protocol/header.h"
#include "protocol/proxy_protocol/tlv.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace telltale::proxy_protocol {

/// Appends one TLV to a TLV section. `value` is cut by no one: over 65,535 octets, or a unique ID over 128, is refused
/// (false, nothing appended). A crc32c TLV is serialize()'s affair.
bool append_tlv(std::string& tlvs, TlvType type, std::string_view value);

/// Appends `header` as v1 or v2 octets to `out`. False, and nothing appended, when a v2 header cannot be written: more
/// than 65,535 octets behind the fixed 16, a TLV section that is not well formed, a Unix path over 108 octets.
///
/// - The addresses decide the family; `header.family` counts for UNIX alone. Mixed families are written as IPv4-mapped
///   IPv6. An unspecified transport beside addresses is written as STREAM.
/// - LOCAL is v2 LOCAL/UNSPEC, v1 `UNKNOWN`: never with an address (CVE-2024-23327). PROXY without a source is UNSPEC,
///   v1 `UNKNOWN`. A source whose destination is not known is still told: the destination is then the source family's
///   unspecified address with port 0.
/// - v1 has no TLVs, no Unix paths and no datagrams: header.tlvs is ignored there, the others are `UNKNOWN`.
/// - A crc32c TLV in header.tlvs is never copied: it was that of other octets. With `with_crc32c` (v2) one is computed
///   over the whole header and put last.
/// - With `pad_to` (v2) a NOOP TLV makes the size of the whole header a multiple of it. Before the crc32c.
bool serialize(const Header& header, std::string& out, bool with_crc32c = false, std::size_t pad_to = 0);

}  // namespace telltale::proxy_protocol
