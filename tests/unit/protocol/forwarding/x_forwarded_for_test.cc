#include "protocol/forwarding/x_forwarded_for.h"

#include <gtest/gtest.h>

#include <string>

namespace telltale::forwarding {
namespace {

std::string shown(std::string_view text) {
  const auto entry = parse_address_entry(text);
  if (!entry) return "none";
  return entry->address.to_string() + " " + std::to_string(entry->port);
}

TEST(AddressEntry, ReadsTheFormsThatAreWritten) {
  struct Case {
    const char* description;
    const char* text;
    const char* expected;
  };
  const Case cases[] = {
      {"IPv4", "192.0.2.1", "192.0.2.1 0"},
      {"IPv4 with port (Azure Application Gateway)", "192.0.2.1:4711", "192.0.2.1 4711"},
      {"IPv6", "2001:db8::1", "2001:db8::1 0"},
      {"IPv6 in capitals", "2001:DB8::A", "2001:db8::a 0"},
      {"IPv6 in full", "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1 0"},
      {"IPv6 that ends like a port", "2001:db8::1:4711", "2001:db8::1:4711 0"},
      {"IPv6 in brackets", "[2001:db8::1]", "2001:db8::1 0"},
      {"IPv6 in brackets with port", "[2001:db8::1]:4711", "2001:db8::1 4711"},
      {"all zero", "::", ":: 0"},
      {"CVE-2024-24790: mapped reads as IPv4", "::ffff:192.0.2.1", "192.0.2.1 0"},
      {"mapped, hexadecimal, brackets, port", "[::ffff:c000:201]:1", "192.0.2.1 1"},
      {"highest port", "192.0.2.1:65535", "192.0.2.1 65535"},
      {"port 0 is none", "192.0.2.1:0", "192.0.2.1 0"},
  };
  for (const Case& c : cases) EXPECT_EQ(shown(c.text), c.expected) << c.description;
}

TEST(AddressEntry, RefusesEverythingElse) {
  struct Case {
    const char* description;
    std::string text;
  };
  const Case cases[] = {
      {"empty", ""},
      {"unknown", "unknown"},
      {"obfuscated", "_hidden"},
      {"host name", "localhost"},
      {"host name with port", "example.com:80"},
      {"zone id", "fe80::1%eth0"},
      {"zone id in brackets", "[fe80::1%25eth0]:80"},
      {"leading zero (CVE-2021-29922)", "192.0.2.010"},
      {"hexadecimal IPv4", "0xC0.0.2.1"},
      {"IPv4 as one number", "3221225985"},
      {"three octets", "192.0.2"},
      {"five octets", "192.0.2.1.1"},
      {"octet over 255", "192.0.2.256"},
      {"range", "192.0.2.0/24"},
      {"IPv4 in brackets", "[192.0.2.1]"},
      {"open bracket", "[2001:db8::1"},
      {"closing bracket alone", "2001:db8::1]"},
      {"empty brackets", "[]"},
      {"octets after brackets", "[2001:db8::1]x"},
      {"empty port", "192.0.2.1:"},
      {"empty port after brackets", "[2001:db8::1]:"},
      {"port over 65535", "192.0.2.1:65536"},
      {"port of six digits", "192.0.2.1:000080"},
      {"signed port", "192.0.2.1:+80"},
      {"negative port", "192.0.2.1:-1"},
      {"port in hexadecimal", "192.0.2.1:0x50"},
      {"space before", " 192.0.2.1"},
      {"space after", "192.0.2.1 "},
      {"space inside", "192.0. 2.1"},
      {"quoted", "\"192.0.2.1\""},
      {"two addresses", "192.0.2.1 192.0.2.2"},
      {"NUL at the end", std::string("192.0.2.1\0", 10)},
      {"NUL inside", std::string("192.0.\0002.1", 10)},
      {"high octets", "192.0.2.\xB2"},
      {"two gaps", "2001::db8::1"},
      {"long", std::string(5000, '1')},
      {"colons", std::string(5000, ':')},
  };
  for (const Case& c : cases) EXPECT_EQ(shown(c.text), "none") << c.description;
}

TEST(AddressEntry, EveryCutIsAnAddressOrNone) {
  for (const std::string whole : {"192.0.2.1:4711", "[2001:db8::192.0.2.1]:4711", "2001:db8:1:2:3:4:5:6"}) {
    for (std::size_t n = 0; n <= whole.size(); ++n) {
      const auto entry = parse_address_entry(std::string_view(whole).substr(0, n));
      if (entry) {
        EXPECT_EQ(parse_address_entry(entry->address.to_string())->address, entry->address);
      }
    }
  }
}

TEST(Port, IsOneToFiveDigitsUpTo65535) {
  EXPECT_EQ(parse_port("0"), 0);
  EXPECT_EQ(parse_port("00080"), 80);
  EXPECT_EQ(parse_port("65535"), 65535);
  for (const char* text : {"", "65536", "99999", "000080", "8 0", "-1", "+1", "0x1", "a"}) {
    EXPECT_EQ(parse_port(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace telltale::forwarding
