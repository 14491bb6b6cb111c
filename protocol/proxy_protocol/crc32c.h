#pragma once

#include <cstdint>
#include <string_view>

namespace telltale::proxy_protocol {

/// CRC32C (Castagnoli, RFC 4960 appendix B) of octets that come in pieces. Start with the default; `finish` the last.
class Crc32c {
 public:
  Crc32c& update(std::string_view octets);
  std::uint32_t finish() const { return ~state_; }

 private:
  std::uint32_t state_ = ~std::uint32_t{0};
};

}  // namespace telltale::proxy_protocol
