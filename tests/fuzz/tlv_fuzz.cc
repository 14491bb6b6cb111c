// TLV names and texts: every value of a section has a text that is safe in a field line, and the text says the value
// again, exactly. The first line of the input names a TLV, the rest is a section.
#include "protocol/proxy_protocol/tlv.h"
#include "protocol/proxy_protocol/tlv_names.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace telltale::proxy_protocol;

void require(bool condition) {
  if (!condition) std::abort();
}

// RFC 9110 5.5, and nothing that a reader would trim.
bool is_safe(std::string_view text) {
  if (text.empty()) return true;
  const bool visible = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  return visible && text.front() != ' ' && text.back() != ' ';
}

void check(std::string_view section, const TlvSelector& selector) {
  std::string text = "kept";
  const auto value = find_tlv(section, selector);
  require(append_tlv_text(text, section, selector) == value.has_value());
  require(text.starts_with("kept"));
  if (!value) return require(text == "kept");
  require(section.find(*value) != std::string_view::npos);
  text.erase(0, 4);
  require(is_safe(text));
  require(tlv_octets(text, selector) == *value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\n'), input.size());
  const std::string_view section = input.substr(std::min(end + 1, input.size()));
  if (const auto selector = parse_tlv_selector(input.substr(0, end))) {
    check(section, *selector);
    if (const auto octets = tlv_octets(section, *selector)) {
      std::string text;
      append_tlv_value(text, *octets, *selector);
      require(is_safe(text) && tlv_octets(text, *selector) == *octets);
    }
  }
  for (const NamedTlv& row : named_tlvs()) {
    require(parse_tlv_selector(row.name) == row.selector);
    check(section, row.selector);
  }
  std::size_t octets = 0;
  for (const Tlv& tlv : TlvRange(section)) {
    octets += TlvRange::head_size + tlv.value.size();
    if (tlv.type == TlvType::ssl && is_ssl_value(tlv.value)) {
      require(TlvRange(tlv.value.substr(ssl_head_size)).well_formed());
    }
  }
  require(octets <= section.size() && TlvRange(section).well_formed() == (octets == section.size()));
  return 0;
}
