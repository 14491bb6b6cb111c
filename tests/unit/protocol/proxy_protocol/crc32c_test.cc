#include "protocol/proxy_protocol/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace telltale::proxy_protocol {
namespace {

std::uint32_t bit_by_bit(std::string_view octets) {
  std::uint32_t crc = ~0u;
  for (char c : octets) {
    crc ^= static_cast<unsigned char>(c);
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
  }
  return ~crc;
}

TEST(Crc32c, MatchesPublishedVectors) {
  std::string up, down;
  for (int i = 0; i < 32; ++i) up += static_cast<char>(i), down += static_cast<char>(31 - i);
  struct {
    const char* description;
    std::string octets;
    std::uint32_t crc;
  } const cases[] = {
      {"nothing", "", 0},
      {"check value of the catalogue", "123456789", 0xE3069283},
      {"RFC 3720 B.4, zeros", std::string(32, '\0'), 0x8A9136AA},
      {"RFC 3720 B.4, ones", std::string(32, '\xff'), 0x62A8AB43},
      {"RFC 3720 B.4, rising", up, 0x46DD794E},
      {"RFC 3720 B.4, falling", down, 0x113FDB5C},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    EXPECT_EQ(Crc32c().update(c.octets).finish(), c.crc);
  }
}

TEST(Crc32c, DoesNotDependOnHowTheOctetsAreCut) {
  std::mt19937 random(3);
  std::string octets;
  for (int i = 0; i < 67; ++i) octets += static_cast<char>(random());
  for (std::size_t size = 0; size <= octets.size(); ++size) {
    const std::string_view view = std::string_view(octets).substr(0, size);
    for (std::size_t cut = 0; cut <= size; ++cut)
      EXPECT_EQ(Crc32c().update(view.substr(0, cut)).update(view.substr(cut)).finish(), bit_by_bit(view));
  }
}

}  // namespace
}  // namespace telltale::proxy_protocol
