#include "protocol/proxy_protocol/tlv_names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

namespace telltale::proxy_protocol {
namespace {

using Place = TlvSelector::Place;

constexpr TlvType aws{0xea}, azure{0xee}, gcp{0xe0};

constexpr TlvSelector whole(TlvType type, TlvText text, std::uint8_t size = 0) {
  return {type, Place::value, 0, text, size};
}
constexpr TlvSelector ssl_sub(std::uint8_t sub, TlvText text = TlvText::text) {
  return {TlvType::ssl, Place::ssl_sub, sub, text, 0};
}

// The spec's types by its own names (2.2), and what clouds send in the range for applications:
// AWS "Proxy protocol" of Network Load Balancers, Azure "Getting connection information using TCP proxy v2" of Private
// Link services, Google Cloud "PROXY protocol" of Private Service Connect.
constexpr NamedTlv registry[] = {
    {"alpn", whole(TlvType::alpn, TlvText::text)},
    {"authority", whole(TlvType::authority, TlvText::text)},
    {"unique_id", whole(TlvType::unique_id, TlvText::hex)},
    {"netns", whole(TlvType::netns, TlvText::text)},
    {"ssl_client", {TlvType::ssl, Place::ssl_client, 0, TlvText::big_endian, 1}},
    {"ssl_verify", {TlvType::ssl, Place::ssl_verify, 0, TlvText::big_endian, 4}},
    {"ssl_version", ssl_sub(0x21)},
    {"ssl_cn", ssl_sub(0x22)},
    {"ssl_cipher", ssl_sub(0x23)},
    {"ssl_sig_alg", ssl_sub(0x24)},
    {"ssl_key_alg", ssl_sub(0x25)},
    {"ssl_group", ssl_sub(0x26)},
    {"ssl_signature_scheme", ssl_sub(0x27)},
    {"ssl_client_cert", ssl_sub(0x28, TlvText::base64), false},
    {"aws_vpce_id", {aws, Place::subtype, 0x01, TlvText::text, 0}},
    {"azure_link_id", {azure, Place::subtype, 0x01, TlvText::little_endian, 4}},
    {"gcp_psc_connection_id", whole(gcp, TlvText::big_endian, 8)},
    {"crc32c", whole(TlvType::crc32c, TlvText::hex, 4), false},
    {"noop", whole(TlvType::noop, TlvText::hex), false},
};

constexpr auto registry_names = [] {
  std::array<std::string_view, std::size(registry)> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = registry[i].name;
  return names;
}();

constexpr char hex_digits[] = "0123456789abcdef";
constexpr char upper_hex_digits[] = "0123456789ABCDEF";
constexpr char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::uint8_t octet(char c) { return static_cast<std::uint8_t>(c); }
constexpr bool is_visible(char c) { return c > 0x20 && c < 0x7f; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// ---- octets to text ----

void append_hex(std::string& out, std::string_view value) {
  for (const char c : value) {
    out += hex_digits[octet(c) >> 4];
    out += hex_digits[octet(c) & 0xf];
  }
}

void append_escaped(std::string& out, std::string_view value) {
  std::size_t copied = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const bool inside = i > 0 && i + 1 < value.size();
    if ((is_visible(value[i]) && value[i] != '%') || (value[i] == ' ' && inside)) continue;
    const char escaped[] = {'%', upper_hex_digits[octet(value[i]) >> 4], upper_hex_digits[octet(value[i]) & 0xf]};
    out.append(value, copied, i - copied).append(escaped, sizeof escaped);
    copied = i + 1;
  }
  out.append(value, copied);
}

void append_octets(std::string& out, std::string_view value) {
  const bool plain = std::ranges::all_of(value, [](char c) { return is_visible(c) || c == ' '; }) &&
                     !value.starts_with(' ') && !value.ends_with(' ') && !value.starts_with("0x");
  if (plain) {
    out += value;
    return;
  }
  out += "0x";
  append_hex(out, value);
}

void append_base64(std::string& out, std::string_view value) {
  for (std::size_t i = 0; i < value.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, value.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < count ? octet(value[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) out += k <= count ? base64_digits[bits >> (18 - 6 * k) & 0x3f] : '=';
  }
}

void append_integer(std::string& out, std::string_view value, bool little_endian) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    number = number << 8 | octet(value[little_endian ? value.size() - 1 - i : i]);
  }
  char text[20];
  out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

// ---- text to octets ----

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string octets;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]), low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    octets += static_cast<char>(high << 4 | low);
  }
  return octets;
}

std::optional<std::string> from_escaped(std::string_view text) {
  std::string octets;
  while (!text.empty()) {
    if (text[0] != '%') {
      octets += text[0];
      text.remove_prefix(1);
      continue;
    }
    const auto escaped = text.size() < 3 ? std::nullopt : from_hex(text.substr(1, 2));
    if (!escaped) return std::nullopt;
    octets += *escaped;
    text.remove_prefix(3);
  }
  return octets;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string octets;
  while (!text.empty()) {
    const bool last = text.size() == 4;
    const std::size_t padding = last && text[3] == '=' ? (text[2] == '=' ? 2 : 1) : 0;
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const std::size_t digit = k < 4 - padding ? std::string_view(base64_digits).find(text[k]) : 0;
      if (digit == std::string_view::npos) return std::nullopt;
      bits = bits << 6 | static_cast<std::uint32_t>(digit);
    }
    // Bits behind the end would let two texts stand for one value.
    if ((bits & ((1u << (8 * padding)) - 1)) != 0) return std::nullopt;
    for (std::size_t k = 0; k < 3 - padding; ++k) octets += static_cast<char>(bits >> (16 - 8 * k));
    text.remove_prefix(4);
  }
  return octets;
}

std::optional<std::string> from_integer(std::string_view text, std::size_t size, bool little_endian) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (size < 8 && number >> (8 * size) != 0) return std::nullopt;
  std::string octets(size, '\0');
  for (std::size_t i = 0; i < size; ++i, number >>= 8) {
    octets[little_endian ? i : size - 1 - i] = static_cast<char>(number);
  }
  return octets;
}

// What the selector means in one TLV of its type, whatever its size; nullopt: it is not in there.
std::optional<std::string_view> part_of(std::string_view value, const TlvSelector& selector) {
  switch (selector.place) {
    case Place::value:
    case Place::subtype:
      return value.substr(selector.place == Place::subtype ? 1 : 0);
    case Place::ssl_client:
      return value.substr(0, 1);
    case Place::ssl_verify:
      return value.substr(1, 4);
    case Place::ssl_sub:
      return TlvRange(value.substr(ssl_head_size)).find(TlvType{selector.sub});
  }
  return std::nullopt;
}

}  // namespace

std::optional<TlvSelector> parse_tlv_selector(std::string_view name) {
  const auto* const row = std::ranges::find(registry, name, &NamedTlv::name);
  if (row != std::end(registry)) return row->selector;
  if (name.size() != 4 || !name.starts_with("0x")) return std::nullopt;
  const auto type = from_hex(name.substr(2));
  if (!type) return std::nullopt;
  return whole(TlvType{octet(type->front())}, TlvText::octets);
}

std::string tlv_name(const TlvSelector& selector) {
  const auto* const row = std::ranges::find(registry, selector, &NamedTlv::selector);
  if (row != std::end(registry)) return std::string(row->name);
  const auto type = static_cast<std::uint8_t>(selector.type);
  return {'0', 'x', upper_hex_digits[type >> 4], upper_hex_digits[type & 0xf]};
}

std::span<const NamedTlv> named_tlvs() { return registry; }
std::span<const std::string_view> tlv_names() { return registry_names; }

bool selects(const TlvSelector& selector, const Tlv& tlv) {
  if (tlv.type != selector.type) return false;
  return selector.place != Place::subtype || (!tlv.value.empty() && octet(tlv.value[0]) == selector.sub);
}

std::optional<std::string_view> find_tlv(std::string_view section, const TlvSelector& selector) {
  for (const Tlv& tlv : TlvRange(section)) {
    if (!selects(selector, tlv)) continue;
    // Never one field of this SSL TLV and another of the next: they would be two hops' words about one client.
    if (tlv.type == TlvType::ssl && selector.place != Place::value && tlv.value.size() < ssl_head_size) break;
    const auto value = part_of(tlv.value, selector);
    if (!value || (selector.size != 0 && value->size() != selector.size)) break;
    return value;
  }
  return std::nullopt;
}

bool append_tlv_text(std::string& out, std::string_view section, const TlvSelector& selector) {
  const auto value = find_tlv(section, selector);
  if (value) append_tlv_value(out, *value, selector);
  return value.has_value();
}

void append_tlv_value(std::string& out, std::string_view value, const TlvSelector& selector) {
  switch (selector.text) {
    case TlvText::text:
      return append_escaped(out, value);
    case TlvText::octets:
      return append_octets(out, value);
    case TlvText::hex:
      return append_hex(out, value);
    case TlvText::base64:
      return append_base64(out, value);
    case TlvText::big_endian:
    case TlvText::little_endian:
      return append_integer(out, value, selector.text == TlvText::little_endian);
  }
}

std::optional<std::string> tlv_octets(std::string_view text, const TlvSelector& selector) {
  std::optional<std::string> octets;
  switch (selector.text) {
    case TlvText::text:
      octets = from_escaped(text);
      break;
    case TlvText::octets:
      octets = text.starts_with("0x") ? from_hex(text.substr(2)) : std::string(text);
      break;
    case TlvText::hex:
      octets = from_hex(text);
      break;
    case TlvText::base64:
      octets = from_base64(text);
      break;
    case TlvText::big_endian:
    case TlvText::little_endian:
      octets = from_integer(text, selector.size, selector.text == TlvText::little_endian);
      break;
  }
  if (octets && selector.size != 0 && octets->size() != selector.size) return std::nullopt;
  return octets;
}

std::string_view describe_tlv_text(const TlvSelector& selector) {
  switch (selector.text) {
    case TlvText::text:
      return "text, with %25 for `%`";
    case TlvText::octets:
      return "text, or `0x` and two hexadecimal digits for each octet";
    case TlvText::hex:
      return selector.size == 4 ? "eight hexadecimal digits" : "two hexadecimal digits for each octet";
    case TlvText::base64:
      return "base64, padded";
    case TlvText::big_endian:
    case TlvText::little_endian:
      break;
  }
  return selector.size == 1   ? "a number up to 255"
         : selector.size == 4 ? "a number up to 4294967295"
                              : "a number up to 18446744073709551615";
}

}  // namespace telltale::proxy_protocol
