#include "proxy/upstream/balancers/hash.h"

#include <bit>
#include <cstddef>
#include <cstring>

namespace telltale::proxy {
namespace {

constexpr std::uint64_t prime1 = 0x9e3779b185ebca87, prime2 = 0xc2b2ae3d27d4eb4f, prime3 = 0x165667b19e3779f9,
                        prime4 = 0x85ebca77c2b2ae63, prime5 = 0x27d4eb2f165667c5;

/// Little-endian on every machine.
template <class T>
T load(const char* octets) {
  T value;
  std::memcpy(&value, octets, sizeof value);
  if constexpr (std::endian::native == std::endian::little) return value;
  T swapped = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) swapped |= (value >> 8 * i & 0xff) << 8 * (sizeof value - 1 - i);
  return swapped;
}

std::uint64_t add_word(std::uint64_t lane, std::uint64_t word) { return std::rotl(lane + word * prime2, 31) * prime1; }

std::uint64_t merge_lane(std::uint64_t hash, std::uint64_t lane) {
  return (hash ^ add_word(0, lane)) * prime1 + prime4;
}

/// Stripes of 32 octets, each lane an eight of them; leaves in `at` what is no whole stripe.
std::uint64_t add_stripes(const char*& at, const char* end) {
  std::uint64_t lanes[4] = {prime1 + prime2, prime2, 0, 0 - prime1};
  for (; end - at >= 32; at += 32) {
    for (std::size_t i = 0; i < 4; ++i) lanes[i] = add_word(lanes[i], load<std::uint64_t>(at + 8 * i));
  }
  std::uint64_t hash =
      std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
  for (const std::uint64_t lane : lanes) hash = merge_lane(hash, lane);
  return hash;
}

}  // namespace

// XXH64 with seed 0 (xxHash fast digest algorithm, "XXH64 Algorithm Description").
std::uint64_t balance_hash(std::string_view octets) {
  const char* at = octets.data();
  const char* const end = at + octets.size();
  std::uint64_t hash = (octets.size() >= 32 ? add_stripes(at, end) : prime5) + octets.size();
  for (; end - at >= 8; at += 8) {
    hash = std::rotl(hash ^ add_word(0, load<std::uint64_t>(at)), 27) * prime1 + prime4;
  }
  if (end - at >= 4) {
    hash = std::rotl(hash ^ load<std::uint32_t>(at) * prime1, 23) * prime2 + prime3;
    at += 4;
  }
  for (; at != end; ++at) hash = std::rotl(hash ^ static_cast<unsigned char>(*at) * prime5, 11) * prime1;
  hash = (hash ^ (hash >> 33)) * prime2;
  hash = (hash ^ (hash >> 29)) * prime3;
  return hash ^ (hash >> 32);
}

}  // namespace telltale::proxy
