#include "protocol/net/ip_address.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <unordered_set>

namespace telltale::net {
namespace {

struct TextCase {
  const char* description;
  std::string text;
  std::string canonical;  // empty: refused
};

TEST(IpAddress, ParsesStrictTextAndWritesRfc5952) {
  const TextCase cases[] = {
      {"IPv4", "192.0.2.1", "192.0.2.1"},
      {"IPv4 zero", "0.0.0.0", "0.0.0.0"},
      {"IPv4 all ones", "255.255.255.255", "255.255.255.255"},
      {"IPv4 octet over 255", "192.0.2.256", ""},
      {"IPv4 leading zero", "192.0.02.1", ""},
      {"IPv4 octal looking", "010.0.0.1", ""},
      {"IPv4 double zero", "00.0.0.0", ""},
      {"IPv4 four digits", "1921.0.2.1", ""},
      {"IPv4 hexadecimal", "0x7f.0.0.1", ""},
      {"IPv4 three parts", "192.0.2", ""},
      {"IPv4 five parts", "192.0.2.1.1", ""},
      {"IPv4 empty part", "192..2.1", ""},
      {"IPv4 trailing dot", "192.0.2.1.", ""},
      {"IPv4 leading dot", ".192.0.2.1", ""},
      {"IPv4 as one number", "3221225985", ""},
      {"IPv4 leading space", " 192.0.2.1", ""},
      {"IPv4 trailing space", "192.0.2.1 ", ""},
      {"IPv4 trailing NUL", std::string("192.0.2.1\0", 10), ""},
      {"IPv4 sign", "+1.0.2.1", ""},
      {"IPv4 with port", "192.0.2.1:80", ""},
      {"IPv6 full", "2001:0db8:0001:0002:0003:0004:0005:0006", "2001:db8:1:2:3:4:5:6"},
      {"IPv6 upper case", "2001:DB8::ABCD", "2001:db8::abcd"},
      {"IPv6 unspecified", "::", "::"},
      {"IPv6 loopback", "::1", "::1"},
      {"IPv6 gap at the end", "2001:db8::", "2001:db8::"},
      {"IPv6 gap in the middle", "2001:db8::1:0:0:1", "2001:db8::1:0:0:1"},
      {"IPv6 single zero group is not compressed", "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"IPv6 longest run is compressed", "2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
      {"IPv6 first of equal runs is compressed", "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"IPv6 gap for one group", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"IPv6 gap for one group in front", "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"IPv6 gap behind eight groups", "1:2:3:4:5:6:7:8::", ""},
      {"IPv6 gap behind eight groups, mapped", "0:0:0:0:0:ffff:10.0.0.1::", ""},
      {"IPv6 gap for no group", "1:2:3:4::5:6:7:8", ""},
      {"IPv6 dotted tail", "64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
      {"IPv6 compatible, not mapped", "::192.0.2.33", "::c000:221"},
      {"IPv6 mapped reads as IPv4", "::ffff:192.0.2.1", "192.0.2.1"},
      {"IPv6 mapped in hexadecimal reads as IPv4", "::FFFF:c000:0201", "192.0.2.1"},
      {"IPv6 mapped, written in full", "0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255"},
      {"IPv6 dotted tail with leading zero", "::ffff:192.0.2.01", ""},
      {"IPv6 dotted tail too short", "::ffff:192.0.2", ""},
      {"IPv6 dotted in front", "192.0.2.1::1", ""},
      {"IPv6 dotted in the middle", "::192.0.2.1:1", ""},
      {"IPv6 dotted beyond 128 bits", "1:2:3:4:5:6:7:192.0.2.1", ""},
      {"IPv6 dotted tail as groups 7 and 8", "1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:c000:201"},
      {"IPv6 two gaps", "1::2::3", ""},
      {"IPv6 three colons", "1:::2", ""},
      {"IPv6 three colons alone", ":::", ""},
      {"IPv6 one colon", ":", ""},
      {"IPv6 leading colon", ":1:2:3:4:5:6:7", ""},
      {"IPv6 trailing colon", "1:2:3:4:5:6:7:", ""},
      {"IPv6 trailing colon after 8", "1:2:3:4:5:6:7:8:", ""},
      {"IPv6 five digits", "2001:0db80::1", ""},
      {"IPv6 five digits in front", "12345::1", ""},
      {"IPv6 nine groups", "1:2:3:4:5:6:7:8:9", ""},
      {"IPv6 nine groups with gap", "1:2:3:4:5:6:7:8::9", ""},
      {"IPv6 seven groups", "1:2:3:4:5:6:7", ""},
      {"IPv6 zone", "fe80::1%eth0", ""},
      {"IPv6 bracketed", "[::1]", ""},
      {"IPv6 prefix", "::1/128", ""},
      {"IPv6 letter beyond f", "2001:db8::g", ""},
      {"IPv6 trailing space", "::1 ", ""},
      {"empty", "", ""},
      {"name", "localhost", ""},
      {"obfuscated", "_hidden", ""},
      {"over-long", std::string(46, '1'), ""},
      {"over-long IPv6", "0000:0000:0000:0000:0000:0000:0000:0000:0000:0", ""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    const auto ip = IpAddress::parse(c.text);
    EXPECT_EQ(ip.has_value(), !c.canonical.empty());
    if (!ip) continue;
    EXPECT_EQ(ip->to_string(), c.canonical);
    EXPECT_EQ(IpAddress::parse(ip->to_string()), ip);
  }
}

TEST(IpAddress, UnmapsWhateverItIsMadeFrom) {
  const std::array<std::uint8_t, 16> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3};
  const IpAddress ip = IpAddress::v6(mapped);
  EXPECT_TRUE(ip.is_v4());
  EXPECT_EQ(ip, IpAddress::v4(10, 1, 2, 3));
  EXPECT_EQ(ip.octets().size(), 4u);
  EXPECT_EQ(ip.mapped_octets(), mapped);
  EXPECT_EQ(std::hash<IpAddress>{}(ip), std::hash<IpAddress>{}(IpAddress::v4(10, 1, 2, 3)));
}

TEST(IpAddress, KnowsLoopbackAndUnspecified) {
  struct {
    const char* text;
    bool loopback, unspecified;
  } const cases[] = {
      {"127.0.0.1", true, false}, {"127.255.1.2", true, false}, {"128.0.0.1", false, false},
      {"0.0.0.0", false, true},   {"::", false, true},          {"::1", true, false},
      {"::2", false, false},      {"1::1", false, false},       {"::ffff:127.0.0.1", true, false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(IpAddress::parse(c.text)->is_loopback(), c.loopback);
    EXPECT_EQ(IpAddress::parse(c.text)->is_unspecified(), c.unspecified);
  }
  EXPECT_NE(IpAddress::parse("::"), IpAddress::parse("0.0.0.0"));
}

TEST(IpAddress, EveryGroupPatternSurvivesTextAndBack) {
  // All 256 ways in which groups can be zero, with the group values 1 and ffff.
  for (unsigned pattern = 0; pattern < 256; ++pattern) {
    for (unsigned value : {0x1u, 0xffffu}) {
      std::array<std::uint8_t, 16> octets{};
      for (unsigned i = 0; i < 8; ++i) {
        if (!(pattern >> i & 1)) continue;
        octets[2 * i] = static_cast<std::uint8_t>(value >> 8);
        octets[2 * i + 1] = static_cast<std::uint8_t>(value);
      }
      const IpAddress ip = IpAddress::v6(octets);
      const std::string text = ip.to_string();
      EXPECT_LE(text.size(), IpAddress::max_text_size);
      EXPECT_EQ(IpAddress::parse(text), ip) << text;
    }
  }
}

TEST(IpAddress, HashSpreadsNeighbours) {
  std::unordered_set<std::size_t> hashes;
  std::set<std::size_t> low_bits;
  for (unsigned i = 0; i < 4096; ++i) {
    const auto hash =
        std::hash<IpAddress>{}(IpAddress::v4(10, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)));
    hashes.insert(hash);
    low_bits.insert(hash & 1023);
  }
  EXPECT_EQ(hashes.size(), 4096u);
  EXPECT_GT(low_bits.size(), 950u);
}

TEST(IpPort, WritesAndReadsText) {
  struct {
    const char* description;
    const char* text;
    const char* canonical;  // empty: refused
  } const cases[] = {
      {"IPv4", "192.0.2.1:80", "192.0.2.1:80"},
      {"IPv6", "[2001:DB8::1]:8080", "[2001:db8::1]:8080"},
      {"all interfaces", ":8080", "[::]:8080"},
      {"port zero", "127.0.0.1:0", "127.0.0.1:0"},
      {"largest port", "127.0.0.1:65535", "127.0.0.1:65535"},
      {"mapped", "[::ffff:192.0.2.1]:80", "192.0.2.1:80"},
      {"port too large", "127.0.0.1:65536", ""},
      {"port far too large", "127.0.0.1:4294967376", ""},
      {"port with leading zero", "127.0.0.1:080", ""},
      {"port with sign", "127.0.0.1:+80", ""},
      {"port with space", "127.0.0.1: 80", ""},
      {"port empty", "127.0.0.1:", ""},
      {"no port", "127.0.0.1", ""},
      {"IPv6 without brackets", "::1:80", ""},
      {"IPv6 without port", "[::1]", ""},
      {"brackets around IPv4", "[127.0.0.1]:80", ""},
      {"empty brackets", "[]:80", ""},
      {"unbalanced bracket", "[::1:80", ""},
      {"octets after the bracket", "[::1]x:80", ""},
      {"zone", "[fe80::1%1]:80", ""},
      {"name", "localhost:80", ""},
      {"empty", "", ""},
      {"colon alone", ":", ""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    const auto parsed = parse_ip_port(c.text);
    EXPECT_EQ(parsed ? parsed->to_string() : "", c.canonical);
  }
}

TEST(IpAddress, AgreesWithItselfOnRandomOctets) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::array<std::uint8_t, 16> octets;
    for (auto& octet : octets) octet = random() % 3 ? static_cast<std::uint8_t>(random()) : std::uint8_t{0};
    const IpAddress v6 = IpAddress::v6(octets);
    EXPECT_EQ(IpAddress::parse(v6.to_string()), v6);
    const IpAddress v4 = IpAddress::v4(std::span(octets).first<4>());
    EXPECT_EQ(IpAddress::parse(v4.to_string()), v4);
    EXPECT_EQ(IpAddress::parse("::ffff:" + v4.to_string()), v4);
  }
}

}  // namespace
}  // namespace telltale::net
