#pragma once

#include "protocol/net/ip_address.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace telltale::forwarding {

/// A parameter's value as it stands in a Forwarded header (RFC 7239 4: a token or a quoted-string).
struct ForwardedValue {
  std::string_view text;  ///< without the quotes, escapes untouched
  bool present = false;
  bool escaped = false;  ///< `text` has quoted-pairs

  /// The value itself; `scratch` is used only if there are escapes. nullopt: it does not fit.
  std::optional<std::string_view> unescape(std::span<char> scratch) const;
};

/// One element of the list: what one hop said. Extension parameters are checked and dropped.
struct ForwardedElement {
  ForwardedValue for_node, by_node, host, proto;
};

/// Parses one element, without the commas around it. Parameter names in any case; white space is accepted around `;`.
/// False: not the grammar of RFC 7239 4, or a parameter repeated, or more than twelve extensions. No allocation.
bool parse_forwarded_element(std::string_view text, ForwardedElement& out);

/// RFC 7239 6: who a hop says it is.
struct Node {
  enum class Kind : std::uint8_t {
    address,
    unknown,     ///< `unknown`: the hop does not know or does not say
    obfuscated,  ///< `_` and an identifier, meaningful only to who wrote it
  };
  Kind kind = Kind::unknown;
  net::IpPort address;          ///< port 0: none, or an obfuscated one
  std::string_view identifier;  ///< for obfuscated: with its `_`
};

/// Parses an unescaped node: `192.0.2.1`, `192.0.2.1:4711`, `[2001:db8::1]`, `[2001:db8::1]:4711`, `unknown`, `_id`,
/// each with an optional port or obfuscated port (`:_id`). IPv6 must be in brackets. Else nullopt.
std::optional<Node> parse_node(std::string_view text);

/// Appends a node, quoted where the grammar wants it: `192.0.2.1`, `"192.0.2.1:4711"`, `"[2001:db8::1]"`. Port 0 is
/// left out.
void append_node(std::string& out, const net::IpPort& node);

/// Makes what stands in `out` from `begin` on a value: a token as it is, anything else a quoted-string with its
/// escapes. False, and that part removed, for a value that no quoted-string can hold (control octets) or an empty one.
bool quote_forwarded_value(std::string& out, std::size_t begin);

/// Appends a value as a token if it is one, else as a quoted-string with its escapes. False, and nothing appended, for
/// a value that no quoted-string can hold (control octets) or an empty one.
bool append_forwarded_value(std::string& out, std::string_view value);

}  // namespace telltale::forwarding
