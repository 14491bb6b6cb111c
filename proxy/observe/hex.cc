#include "proxy/observe/hex.h"

namespace telltale::proxy {
namespace {

std::optional<unsigned> digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

}  // namespace

std::string to_hex(std::string_view octets) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * octets.size());
  for (const char c : octets) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 0xf];
  }
  return out;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  std::string out;
  unsigned high = 0;
  bool is_half = false;  // an octet is begun
  for (const char c : text) {
    if (std::string_view(" \t\r\n:").find(c) != std::string_view::npos) continue;
    const auto value = digit(c);
    if (!value) return std::nullopt;
    if (is_half) out += static_cast<char>(high << 4 | *value);
    high = *value;
    is_half = !is_half;
  }
  if (is_half || out.empty()) return std::nullopt;
  return out;
}

}  // namespace telltale::proxy
