#include "protocol/forwarding/forwarded.h"

#include "protocol/forwarding/list.h"
#include "protocol/forwarding/obfuscation.h"
#include "protocol/forwarding/x_forwarded_for.h"
#include "protocol/http/field_id.h"

#include <array>

namespace telltale::forwarding {
namespace {

constexpr std::size_t max_extensions = 12;

constexpr bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 256; ++c) table[c] = is_alphanumeric(static_cast<char>(c)) && c < 128;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> token_table = make_token_table();

// RFC 9110 5.6.2.
constexpr bool is_token_octet(char c) { return token_table[static_cast<unsigned char>(c)]; }

// RFC 9110 5.6.4: HTAB, SP, VCHAR, obs-text; the quote and the backslash only behind a backslash.
constexpr bool is_quotable_octet(char c) {
  const auto octet = static_cast<unsigned char>(c);
  return octet == '\t' || (octet >= 0x20 && octet != 0x7f);
}

bool is_token(std::string_view text) {
  for (const char c : text) {
    if (!is_token_octet(c)) return false;
  }
  return !text.empty();
}

bool equal_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + ('a' - 'A')) : text[i];
    if (c != lower[i]) return false;
  }
  return true;
}

class ElementParser {
 public:
  ElementParser(std::string_view text, ForwardedElement& out)
      : at_(text.data()), end_(text.data() + text.size()), out_(out) {}

  // [ forwarded-pair ] *( ";" [ forwarded-pair ] )
  bool parse() {
    while (true) {
      skip_ows();
      if (at_ == end_) return true;
      if (*at_ != ';' && !pair()) return false;
      skip_ows();
      if (at_ == end_) return true;
      if (*at_++ != ';') return false;
    }
  }

 private:
  void skip_ows() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t')) ++at_;
  }

  std::string_view token() {
    const char* const begin = at_;
    const char* at = begin;  // in a register
    while (at != end_ && is_token_octet(*at)) ++at;
    at_ = at;
    return {begin, at};
  }

  bool pair() {
    const std::string_view name = token();
    if (name.empty() || at_ == end_ || *at_ != '=') return false;
    ++at_;
    ForwardedValue value;
    value.present = true;
    if (at_ != end_ && *at_ == '"') {
      if (!quoted_string(value)) return false;
    } else {
      value.text = token();
      if (value.text.empty()) return false;
    }
    return take(name, value);
  }

  bool quoted_string(ForwardedValue& value) {
    const char* const begin = ++at_;
    for (const char* at = begin; at != end_; ++at) {
      if (*at == '"') {
        value.text = {begin, at};
        at_ = at + 1;
        return true;
      }
      if (*at == '\\') {
        value.escaped = true;
        if (++at == end_) return false;
      }
      if (!is_quotable_octet(*at)) return false;
    }
    return false;
  }

  // RFC 7239 4: each parameter at most once; an extension one as well.
  bool take(std::string_view name, const ForwardedValue& value) {
    ForwardedValue* const known = known_parameter(name);
    if (!known) return remember_extension(name);
    if (known->present) return false;
    *known = value;
    return true;
  }

  ForwardedValue* known_parameter(std::string_view name) {
    switch (name.size()) {
      case 2:
        return equal_ignoring_case(name, "by") ? &out_.by_node : nullptr;
      case 3:
        return equal_ignoring_case(name, "for") ? &out_.for_node : nullptr;
      case 4:
        return equal_ignoring_case(name, "host") ? &out_.host : nullptr;
      case 5:
        return equal_ignoring_case(name, "proto") ? &out_.proto : nullptr;
      default:
        return nullptr;
    }
  }

  bool remember_extension(std::string_view name) {
    if (extension_count_ == max_extensions) return false;
    for (std::size_t i = 0; i < extension_count_; ++i) {
      // That `_` and `-` fold as well only refuses more: no reader can then take one name for the other.
      if (http::folded_equal({extensions_[i].begin, extensions_[i].size}, name)) return false;
    }
    extensions_[extension_count_++] = {name.data(), name.size()};
    return true;
  }

  struct Name {
    const char* begin;
    std::size_t size;
  };
  const char* at_;
  const char* const end_;
  ForwardedElement& out_;
  std::size_t extension_count_ = 0;
  std::array<Name, max_extensions> extensions_;  // the first extension_count_ are set
};

// The port behind a nodename; 0 for an obfuscated one.
std::optional<std::uint16_t> parse_node_port(std::string_view text) {
  if (is_obfuscated_identifier(text)) return std::uint16_t{0};
  return parse_port(text);
}

std::optional<Node> address_node(std::string_view address, std::uint16_t port) {
  std::optional<Node> node;
  if (const auto ip = net::IpAddress::parse(address)) {
    node.emplace();
    node->kind = Node::Kind::address;
    node->address = {*ip, port};
  }
  return node;
}

}  // namespace

std::optional<std::string_view> ForwardedValue::unescape(std::span<char> scratch) const {
  if (!escaped) return text;
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    if (size == scratch.size()) return std::nullopt;
    scratch[size++] = text[i];
  }
  return std::string_view(scratch.data(), size);
}

bool parse_forwarded_element(std::string_view text, ForwardedElement& out) {
  out = {};
  return ElementParser(text, out).parse();
}

std::optional<Node> parse_node(std::string_view text) {
  std::string_view name = text;
  std::uint16_t port = 0;
  const std::size_t after_brackets = text.starts_with('[') ? text.find(']') : 0;
  if (after_brackets == std::string_view::npos) return std::nullopt;
  if (const std::size_t colon = text.find(':', after_brackets); colon != std::string_view::npos) {
    const auto parsed = parse_node_port(text.substr(colon + 1));
    if (!parsed) return std::nullopt;
    port = *parsed;
    name = text.substr(0, colon);
  }
  if (name.starts_with('[')) {
    if (name.back() != ']') return std::nullopt;
    const std::string_view inside = name.substr(1, name.size() - 2);
    if (inside.find(':') == std::string_view::npos) return std::nullopt;  // brackets are for IPv6 alone
    return address_node(inside, port);
  }
  if (equal_ignoring_case(name, "unknown")) return Node{Node::Kind::unknown, {}, {}};
  if (is_obfuscated_identifier(name)) return Node{Node::Kind::obfuscated, {}, name};
  return address_node(name, port);
}

void append_node(std::string& out, const net::IpPort& node) {
  const bool quoted = node.address.is_v6() || node.port != 0;
  if (quoted) out += '"';
  if (node.address.is_v6()) out += '[';
  node.address.append_to(out);
  if (node.address.is_v6()) out += ']';
  if (node.port != 0) {
    char digits[5];
    char* begin = digits + sizeof digits;
    for (unsigned port = node.port; port != 0; port /= 10) *--begin = static_cast<char>('0' + port % 10);
    out += ':';
    out.append(begin, digits + sizeof digits);
  }
  if (quoted) out += '"';
}

bool quote_forwarded_value(std::string& out, std::size_t begin) {
  const std::string_view value = std::string_view(out).substr(begin);
  if (is_token(value)) return true;
  for (const char c : value) {
    if (is_quotable_octet(c)) continue;
    out.resize(begin);
    return false;
  }
  if (value.empty()) return false;
  for (std::size_t at = begin; at < out.size(); ++at) {
    if (out[at] == '"' || out[at] == '\\') out.insert(at++, 1, '\\');
  }
  out.insert(begin, 1, '"');
  out += '"';
  return true;
}

bool append_forwarded_value(std::string& out, std::string_view value) {
  const std::size_t begin = out.size();
  out += value;
  return quote_forwarded_value(out, begin);
}

}  // namespace telltale::forwarding
