#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

/// The character classes and small text helpers of HTTP/1 (RFC 9110 5.6, RFC 5234 B.1). Inline and allocation free.
namespace telltale::http1 {

namespace detail {
constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (unsigned c = '0'; c <= '9'; ++c) table[c] = true;
  for (unsigned c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (unsigned c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}
inline constexpr std::array<bool, 256> token_table = make_token_table();
}  // namespace detail

constexpr bool is_token_char(char c) { return detail::token_table[static_cast<unsigned char>(c)]; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
/// 0x21 to 0x7E.
constexpr bool is_visible(char c) { return c > ' ' && c < 0x7f; }
constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
/// -1 if it is none.
constexpr int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

constexpr bool is_token(std::string_view text) {
  for (const char c : text) {
    if (!is_token_char(c)) return false;
  }
  return !text.empty();
}

/// ASCII case-insensitive.
constexpr bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

/// Without the spaces and tabs around it (OWS, RFC 9110 5.6.3).
constexpr std::string_view trim_ows(std::string_view text) {
  const auto is_ows = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_ows(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_ows(text.back())) text.remove_suffix(1);
  return text;
}

/// Calls `visit(element)` for each element of a comma-separated list of tokens, trimmed; empty ones are skipped
/// (RFC 9110 5.6.1.2). Stops early, and returns false, when `visit` returns false. Not for lists whose elements may be
/// quoted.
template <typename Visit>
constexpr bool for_each_element(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view element = trim_ows(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    if (!element.empty() && !visit(element)) return false;
  }
  return true;
}

/// The first octet that a field value or reason phrase may not hold: a control other than HTAB (RFC 9110 5.5), or
/// `end`. Eight octets at a time.
inline const char* find_control(const char* p, const char* end) {
  constexpr std::uint64_t ones = 0x0101010101010101u;
  constexpr std::uint64_t high = 0x8080808080808080u;
  const auto is_refused = [](char c) {
    const auto octet = static_cast<unsigned char>(c);
    return (octet < 0x20 && octet != '\t') || octet == 0x7f;
  };
  if constexpr (std::endian::native == std::endian::little) {
    while (end - p >= 8) {
      std::uint64_t word;
      std::memcpy(&word, p, sizeof word);
      // An octet under 0x20 or equal to 0x7f leaves its high bit set. A borrow can only set bits above the first true
      // one, and only the first is used.
      const std::uint64_t del = word ^ (ones * 0x7f);
      const std::uint64_t found = (((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & high;
      if (found == 0) {
        p += 8;
        continue;
      }
      p += std::countr_zero(found) / 8;
      if (*p != '\t') return p;
      ++p;
    }
  }
  while (p != end && !is_refused(*p)) ++p;
  return p;
}

}  // namespace telltale::http1
