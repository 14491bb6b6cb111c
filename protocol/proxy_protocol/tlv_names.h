#pragma once

#include "protocol/proxy_protocol/tlv.h"

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace telltale::proxy_protocol {

/// How a value is written as text: one form for logs, request fields and the configuration. Whatever a sender put into
/// a TLV, the text is visible ASCII with spaces inside at most, so it is safe in a field value (RFC 9110 5.5) and in a
/// line of a log. Different values have different texts, and tlv_octets() reads a text back.
enum class TlvText : std::uint8_t {
  text,        ///< as it is, but `%`, and octets that are neither visible ASCII nor a space inside, as %HH
  octets,      ///< as it is if it is visible ASCII with spaces inside and does not begin with `0x`; else `0x` and hex
  hex,         ///< two lower-case digits an octet
  base64,      ///< RFC 4648 4, padded
  big_endian,  ///< an unsigned integer, in decimal
  little_endian,
};

/// Names one value in a TLV section. Of several TLVs that it could mean, the first one counts: the one of the hop that
/// is nearest to us.
struct TlvSelector {
  enum class Place : std::uint8_t {
    value,       ///< the whole value
    subtype,     ///< what follows the value's first octet, which is `sub`
    ssl_client,  ///< of an SSL TLV: the client flags (spec 2.2.6)
    ssl_verify,  ///< likewise the verify field
    ssl_sub,     ///< likewise the sub-TLV `sub`
  };
  TlvType type{};
  Place place = Place::value;
  std::uint8_t sub = 0;
  TlvText text = TlvText::octets;
  std::uint8_t size = 0;  ///< of the value; any other is as if it were absent. 0: any

  friend auto operator<=>(const TlvSelector&, const TlvSelector&) = default;
};

/// One of tlv_names(), or any type as `0xNN` (two hexadecimal digits, any case). nullopt: neither.
std::optional<TlvSelector> parse_tlv_selector(std::string_view name);
/// The name that it has: parse_tlv_selector() the other way.
std::string tlv_name(const TlvSelector& selector);

/// A row of the registry.
struct NamedTlv {
  std::string_view name;
  TlvSelector selector;
  /// Shown wherever all of them are listed, as in the access log: what says something of the client. False for padding,
  /// the checksum, and the certificate, which is too long.
  bool listed = true;
};
/// Every named TLV, in the order in which they are shown.
std::span<const NamedTlv> named_tlvs();
/// Their names, for "did you mean".
std::span<const std::string_view> tlv_names();

/// Whether this TLV is one that the selector means, or means a part of.
bool selects(const TlvSelector& selector, const Tlv& tlv);

/// The raw value. nullopt: the section has it not, or it is not of the selector's size. A view into `section`.
std::optional<std::string_view> find_tlv(std::string_view section, const TlvSelector& selector);

/// Appends the value's text. False, and nothing appended, when it is absent; an empty value appends nothing and is
/// true.
bool append_tlv_text(std::string& out, std::string_view section, const TlvSelector& selector);
/// The same for a value that find_tlv() gave.
void append_tlv_value(std::string& out, std::string_view value, const TlvSelector& selector);

/// The octets that `text` stands for: to compare with what find_tlv() gives. Of TlvText::text and octets any octet may
/// also be written as it is. nullopt: no value has this text.
std::optional<std::string> tlv_octets(std::string_view text, const TlvSelector& selector);
/// What a text must look like, for messages: "a number up to 4294967295".
std::string_view describe_tlv_text(const TlvSelector& selector);

}  // namespace telltale::proxy_protocol
