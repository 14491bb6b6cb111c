#include "protocol/forwarding/obfuscation.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>

namespace telltale::forwarding {
namespace {

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void rounds(int count) {
    for (int i = 0; i < count; ++i) {
      v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
      v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
      v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
      v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
    }
  }
  void compress(std::uint64_t word) {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
};

// Up to eight octets, the first one lowest.
std::uint64_t little_endian(std::string_view octets) {
  std::uint64_t word = 0;
  for (std::size_t i = octets.size(); i-- > 0;) word = word << 8 | static_cast<unsigned char>(octets[i]);
  return word;
}

}  // namespace

std::uint64_t siphash(const ObfuscationKey& key, std::string_view octets) {
  SipState state{key.k0 ^ 0x736f6d6570736575, key.k1 ^ 0x646f72616e646f6d, key.k0 ^ 0x6c7967656e657261,
                 key.k1 ^ 0x7465646279746573};
  const std::uint64_t size = octets.size();
  for (; octets.size() >= 8; octets.remove_prefix(8)) state.compress(little_endian(octets.substr(0, 8)));
  state.compress(size << 56 | little_endian(octets));
  state.v2 ^= 0xff;
  state.rounds(4);
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

bool is_obfuscated_identifier(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
           c == '-';
  };
  return text.size() >= 2 && text.front() == '_' && std::all_of(text.begin() + 1, text.end(), allowed);
}

void append_obfuscated(std::string& out, const ObfuscationKey& key, const std::optional<net::IpAddress>& address,
                       std::uint64_t connection_number) {
  // 8 octets of the number, one that says what follows, and the address.
  std::array<char, 8 + 1 + 16> message{};
  for (std::size_t i = 0; i < 8; ++i) message[i] = static_cast<char>(connection_number >> (8 * i));
  std::size_t size = 9;
  if (address) {
    message[8] = address->is_v4() ? 4 : 6;
    const auto octets = address->octets();
    std::transform(octets.begin(), octets.end(), message.begin() + 9,
                   [](std::uint8_t o) { return static_cast<char>(o); });
    size += octets.size();
  }
  std::uint64_t hash = siphash(key, {message.data(), size});
  char digits[16];
  for (std::size_t i = sizeof digits; i-- > 0; hash >>= 4) digits[i] = "0123456789abcdef"[hash & 0xf];
  out += '_';
  out.append(digits, sizeof digits);
}

}  // namespace telltale::forwarding
