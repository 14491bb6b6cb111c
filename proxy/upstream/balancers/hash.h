#pragma once

#include "proxy/upstream/balancer.h"

#include <cstdint>

namespace telltale::proxy {

/// A bijection of 64 bits in which each bit of the input moves about half of the output's: the finaliser of SplitMix64
/// (Steele, Lea, Flood 2014). For numbers, where balance_hash() is for octets.
constexpr std::uint64_t mix64(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// 2^64 over the golden ratio: multiples of it fill the range evenly.
inline constexpr std::uint64_t golden64 = 0x9e3779b97f4a7c15;

/// 0 to limit - 1, by the upper 32 of evenly distributed bits. No division.
constexpr std::uint32_t scale(std::uint64_t bits, std::uint32_t limit) {
  return static_cast<std::uint32_t>((bits >> 32) * limit >> 32);
}

/// 0 to less than 1, by the upper 53 bits.
constexpr double unit_interval(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

/// SplitMix64: 8 octets of state, a nanosecond a number, fit for choosing, not for secrets. Not thread safe.
class RandomSource {
 public:
  explicit RandomSource(std::uint64_t seed) : state_(mix64(seed)) {}
  std::uint64_t next() { return mix64(state_ += golden64); }
  std::uint32_t below(std::uint32_t limit) { return scale(next(), limit); }

 private:
  std::uint64_t state_;
};

}  // namespace telltale::proxy
