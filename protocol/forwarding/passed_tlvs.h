#pragma once

#include "protocol/proxy_protocol/tlv_names.h"

#include <span>
#include <string>
#include <string_view>

namespace telltale::forwarding {

/// Appends the first received TLV of this type, as it came, to a section under construction. Nothing if there is none.
void pass_tlv(std::string& section, proxy_protocol::TlvType type, std::string_view received);

/// Appends the received TLVs that `selectors` name, in the order in which they came. None of a type that the section
/// has already: we have written it ourselves. Of the spec's own types only the first one, which counts everywhere else
/// too; of the types for applications (0xE0 and above) all, for some senders tell several things under one.
void pass_tlvs(std::string& section, std::span<const proxy_protocol::TlvSelector> selectors, std::string_view received);

}  // namespace telltale::forwarding
