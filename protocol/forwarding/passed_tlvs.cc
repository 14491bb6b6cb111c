#include "protocol/forwarding/passed_tlvs.h"

#include "protocol/proxy_protocol/serializer.h"

#include <algorithm>

namespace telltale::forwarding {
namespace {

using proxy_protocol::Tlv;
using proxy_protocol::TlvRange;
using proxy_protocol::TlvType;

constexpr TlvType first_application_type{0xe0};

}  // namespace

void pass_tlv(std::string& section, TlvType type, std::string_view received) {
  if (const auto value = TlvRange(received).find(type)) proxy_protocol::append_tlv(section, type, *value);
}

void pass_tlvs(std::string& section, std::span<const proxy_protocol::TlvSelector> selectors,
               std::string_view received) {
  if (selectors.empty() || received.empty()) return;
  const std::size_t own_size = section.size();
  for (const Tlv& tlv : TlvRange(received)) {
    if (std::ranges::none_of(selectors, [&](const auto& selector) { return selects(selector, tlv); })) continue;
    const std::string_view section_so_far = section;
    const bool once = tlv.type < first_application_type;
    if (TlvRange(section_so_far.substr(0, once ? section.size() : own_size)).find(tlv.type)) continue;
    proxy_protocol::append_tlv(section, tlv.type, tlv.value);
  }
}

}  // namespace telltale::forwarding
