#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

struct evp_mac_ctx_st;

namespace telltale::assertion {

using Mac = std::array<std::uint8_t, 32>;

/// HMAC-SHA256 (RFC 2104, FIPS 198-1) with one key. The key is hashed once, here; each message starts from that state.
/// OpenSSL keeps that state and zeroes it at the end. For one thread at a time.
class HmacSha256 {
 public:
  /// Throws std::runtime_error when this OpenSSL has no HMAC or no SHA-256 (a FIPS provider without its module).
  explicit HmacSha256(std::span<const std::uint8_t> key);

  /// False, and `mac` undefined: OpenSSL refused, as when it is out of memory.
  bool compute(std::string_view message, Mac& mac);

 private:
  struct Free {
    void operator()(evp_mac_ctx_st* context) const;
  };
  std::unique_ptr<evp_mac_ctx_st, Free> context_;
};

/// In a time that does not depend on where they differ.
bool equal_in_constant_time(const Mac& a, const Mac& b);

/// Overwrites octets that were secret; never optimised away.
void wipe(void* octets, std::size_t size);

}  // namespace telltale::assertion
