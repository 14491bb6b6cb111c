#include "protocol/assertion/base64.h"

#include <array>

namespace telltale::assertion {
namespace {

constexpr std::string_view url_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view plain_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> make_values(std::string_view alphabet) {
  std::array<std::int8_t, 256> values{};
  for (auto& value : values) value = -1;
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}
constexpr auto url_values = make_values(url_alphabet);
constexpr auto plain_values = make_values(plain_alphabet);

constexpr std::size_t decoded_size(std::size_t characters) { return characters * 6 / 8; }

// The characters without padding; out.size() must be decoded_size() of them.
bool decode(std::string_view text, const std::array<std::int8_t, 256>& values, std::span<std::uint8_t> out) {
  if (text.size() % 4 == 1) return false;
  std::uint32_t bits = 0;
  unsigned count = 0;
  std::size_t written = 0;
  for (const char c : text) {
    const int value = values[static_cast<unsigned char>(c)];
    if (value < 0) return false;
    bits = bits << 6 | static_cast<unsigned>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out[written++] = static_cast<std::uint8_t>(bits >> count);
    bits &= (1U << count) - 1;
  }
  return bits == 0;
}

}  // namespace

void append_base64url(std::string& out, std::span<const std::uint8_t> octets) {
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const std::uint8_t octet : octets) {
    bits = bits << 8 | octet;
    for (count += 8; count >= 6;) {
      count -= 6;
      out += url_alphabet[bits >> count & 63];
    }
  }
  if (count > 0) out += url_alphabet[bits << (6 - count) & 63];
}

bool parse_base64url(std::string_view text, std::span<std::uint8_t> out) {
  return text.size() == (out.size() * 8 + 5) / 6 && decode(text, url_values, out);
}

int parse_base64(std::string_view text, std::span<std::uint8_t> out) {
  if (text.size() % 4 != 0) return -1;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  const std::size_t size = decoded_size(text.size());
  if (size > out.size() || !decode(text, plain_values, out.first(size))) return -1;
  return static_cast<int>(size);
}

}  // namespace telltale::assertion
