#include "protocol/http1/authority.h"

#include "protocol/http1/syntax.h"
#include "protocol/net/ip_address.h"

#include <charconv>

namespace telltale::http1 {
namespace {

/// RFC 3986's unreserved characters. Its reg-name allows percent-encoding and sub-delims too: no name in use has them,
/// and `%0d%0a` or a comma would be two things to somebody.
bool is_reg_name(std::string_view text) {
  for (const char c : text) {
    const bool unreserved =
        is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z') || c == '-' || c == '.' || c == '_' || c == '~';
    if (!unreserved) return false;
  }
  return !text.empty();
}

bool is_ip_literal(std::string_view text) {
  if (text.size() < 4 || text.front() != '[' || text.back() != ']') return false;
  text = text.substr(1, text.size() - 2);
  return text.find(':') != std::string_view::npos && net::IpAddress::parse(text).has_value();
}

/// False if it is no port; an empty one leaves nullopt.
bool parse_port(std::string_view text, std::optional<std::uint16_t>& port) {
  if (text.empty()) return true;
  if (text.size() > 5) return false;
  std::uint32_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    value = value * 10 + static_cast<std::uint32_t>(c - '0');
  }
  if (value == 0 || value > 65535) return false;
  port = static_cast<std::uint16_t>(value);
  return true;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  const bool literal = !text.empty() && text.front() == '[';
  const std::size_t bracket = literal ? text.find(']') : 0;
  if (bracket == std::string_view::npos) return std::nullopt;
  const std::size_t colon = text.find(':', bracket);
  Authority authority{text.substr(0, colon), std::nullopt};
  if (!(literal ? is_ip_literal(authority.host) : is_reg_name(authority.host))) return std::nullopt;
  if (colon != std::string_view::npos && !parse_port(text.substr(colon + 1), authority.port)) return std::nullopt;
  return authority;
}

void assign_authority(std::string& out, const Authority& authority) {
  out.assign(authority.host);
  for (char& c : out) c = to_lower(c);
  if (!authority.port) return;
  char digits[5];
  const auto written = std::to_chars(digits, digits + sizeof digits, *authority.port);
  out += ':';
  out.append(digits, written.ptr);
}

bool same_authority(const Authority& a, const Authority& b, std::uint16_t default_port) {
  return iequals(a.host, b.host) && a.port.value_or(default_port) == b.port.value_or(default_port);
}

}  // namespace telltale::http1
