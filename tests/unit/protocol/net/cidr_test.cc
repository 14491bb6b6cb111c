#include "protocol/net/cidr.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace telltale::net {
namespace {

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }
Cidr cidr(const char* text) { return Cidr::parse(text).value(); }

TEST(Cidr, ParsesStrictly) {
  struct {
    const char* description;
    const char* text;
    const char* canonical;  // empty: refused
  } const cases[] = {
      {"IPv4", "10.0.0.0/8", "10.0.0.0/8"},
      {"IPv4 everything", "0.0.0.0/0", "0.0.0.0/0"},
      {"IPv4 one", "10.1.2.3/32", "10.1.2.3/32"},
      {"bare IPv4", "10.1.2.3", "10.1.2.3/32"},
      {"IPv6", "2001:db8::/32", "2001:db8::/32"},
      {"IPv6 everything", "::/0", "::/0"},
      {"bare IPv6", "2001:db8::1", "2001:db8::1/128"},
      {"prefix inside an octet", "172.16.0.0/12", "172.16.0.0/12"},
      {"mapped", "::ffff:10.0.0.0/104", "10.0.0.0/8"},
      {"mapped, every IPv4 address", "::ffff:0:0/96", "0.0.0.0/0"},
      {"mapped, one", "::ffff:10.0.0.1/128", "10.0.0.1/32"},
      {"bare mapped", "::ffff:10.0.0.1", "10.0.0.1/32"},
      {"mapped, prefix under 96", "::ffff:0:0/95", ""},
      {"mapped, prefix 8", "::ffff:10.0.0.0/8", ""},
      {"host bits, IPv4", "10.0.0.1/8", ""},
      {"host bits, last one", "10.0.0.1/31", ""},
      {"host bits, IPv6", "2001:db8::1/64", ""},
      {"host bits, mapped", "::ffff:10.0.0.1/104", ""},
      {"prefix over 32", "10.0.0.0/33", ""},
      {"prefix over 128", "::/129", ""},
      {"prefix over 128, mapped", "::ffff:10.0.0.0/136", ""},
      {"prefix far too large", "10.0.0.0/4294967304", ""},
      {"prefix with leading zero", "10.0.0.0/08", ""},
      {"prefix empty", "10.0.0.0/", ""},
      {"prefix with sign", "10.0.0.0/+8", ""},
      {"prefix with space", "10.0.0.0/ 8", ""},
      {"netmask", "10.0.0.0/255.0.0.0", ""},
      {"two slashes", "10.0.0.0/8/8", ""},
      {"no address", "/8", ""},
      {"short address", "10/8", ""},
      {"empty", "", ""},
      {"name", "private", ""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    const auto range = Cidr::parse(c.text);
    EXPECT_EQ(range ? range->to_string() : "", c.canonical);
  }
}

struct ContainsCase {
  const char* range;
  const char* address;
  bool inside;
};
const ContainsCase contains_cases[] = {
    {"10.0.0.0/8", "10.0.0.0", true},
    {"10.0.0.0/8", "10.255.255.255", true},
    {"10.0.0.0/8", "9.255.255.255", false},
    {"10.0.0.0/8", "11.0.0.0", false},
    {"10.0.0.0/8", "::ffff:10.1.2.3", true},
    {"::ffff:10.0.0.0/104", "10.1.2.3", true},
    {"::ffff:10.0.0.0/104", "11.1.2.3", false},
    {"172.16.0.0/12", "172.31.255.255", true},
    {"172.16.0.0/12", "172.32.0.0", false},
    {"192.0.2.7", "192.0.2.7", true},
    {"192.0.2.7", "192.0.2.6", false},
    {"192.0.2.6/31", "192.0.2.7", true},
    {"192.0.2.6/31", "192.0.2.8", false},
    {"0.0.0.0/0", "255.255.255.255", true},
    {"0.0.0.0/0", "::", false},
    {"::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
    {"::/0", "0.0.0.0", false},
    {"::/0", "::ffff:10.0.0.1", false},
    {"2001:db8::/32", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true},
    {"2001:db8::/32", "2001:db9::", false},
    {"2001:db8::/63", "2001:db8:0:1:ffff::", true},
    {"2001:db8::/63", "2001:db8:0:2::", false},
    {"2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff", true},
    {"2001:db8::/64", "2001:db8:0:1::", false},
    {"2001:db8::/65", "2001:db8::7fff:ffff:ffff:ffff", true},
    {"2001:db8::/65", "2001:db8::8000:0:0:0", false},
    {"2001:db8::8/125", "2001:db8::f", true},
    {"2001:db8::8/125", "2001:db8::10", false},
    {"::1/128", "::1", true},
    {"::1/128", "::2", false},
    {"a00::/8", "10.0.0.0", false},
    {"10.0.0.0/8", "a00::", false},
};

TEST(Cidr, ContainsItsFamilyOnlyAndExactlyItsPrefix) {
  for (const auto& c : contains_cases) {
    SCOPED_TRACE(std::string(c.range) + " " + c.address);
    EXPECT_EQ(cidr(c.range).contains(ip(c.address)), c.inside);
    EXPECT_EQ(CidrSet({cidr(c.range)}).contains(ip(c.address)), c.inside);
  }
}

TEST(Cidr, ConstructorClearsHostBitsAndBoundsThePrefix) {
  EXPECT_EQ(Cidr(ip("10.1.2.3"), 8).to_string(), "10.0.0.0/8");
  EXPECT_EQ(Cidr(ip("10.1.2.3"), 77).to_string(), "10.1.2.3/32");
  EXPECT_EQ(Cidr(ip("2001:db8::1"), 400).to_string(), "2001:db8::1/128");
  EXPECT_EQ(Cidr(ip("2001:db8::1"), 0), cidr("::/0"));
}

TEST(CidrSet, IsEmptyByDefault) {
  const CidrSet nobody;
  EXPECT_TRUE(nobody.empty());
  EXPECT_FALSE(nobody.contains(ip("127.0.0.1")));
  EXPECT_FALSE(nobody.contains(ip("10.0.0.1")));
  EXPECT_FALSE(nobody.contains(ip("::1")));
  EXPECT_FALSE(nobody.contains(std::optional<IpAddress>()));
}

TEST(CidrSet, UnixPeersAreInItOnlyWhenNamed) {
  const CidrSet without({cidr("0.0.0.0/0"), cidr("::/0")});
  const CidrSet with({}, true);
  EXPECT_FALSE(without.contains(std::optional<IpAddress>()));
  EXPECT_TRUE(with.contains(std::optional<IpAddress>()));
  EXPECT_FALSE(with.empty());
  EXPECT_FALSE(with.contains(std::optional<IpAddress>(ip("127.0.0.1"))));
}

TEST(CidrSet, MergesNestedAndTouchingRangesAndKeepsThemAsGiven) {
  const std::vector<Cidr> ranges{cidr("10.0.1.0/24"), cidr("10.0.0.0/24"),   cidr("10.0.0.128/25"), cidr("10.0.0.0/16"),
                                 cidr("10.2.0.0/16"), cidr("2001:db8::/32"), cidr("10.0.0.0/16")};
  const CidrSet set(ranges);
  EXPECT_EQ(set.ranges(), ranges);
  EXPECT_TRUE(set.contains(ip("10.0.255.255")));
  EXPECT_FALSE(set.contains(ip("10.1.0.0")));
  EXPECT_TRUE(set.contains(ip("10.2.0.0")));
  EXPECT_FALSE(set.contains(ip("10.3.0.0")));
  EXPECT_TRUE(set.contains(ip("2001:db8::1")));
}

TEST(CidrSet, AgreesWithALinearSearchOverThousandsOfRanges) {
  std::mt19937_64 random(7);
  const auto random_address = [&random](bool v4) {
    std::array<std::uint8_t, 16> octets;
    // Few distinct values in the leading octets, so that ranges nest and addresses hit.
    for (std::size_t i = 0; i < octets.size(); ++i) octets[i] = static_cast<std::uint8_t>(random() % (i < 2 ? 8 : 256));
    return v4 ? IpAddress::v4(std::span(octets).first<4>()) : IpAddress::v6(octets);
  };
  std::vector<Cidr> ranges;
  for (int i = 0; i < 4000; ++i) {
    const bool v4 = random() % 2;
    ranges.emplace_back(random_address(v4), static_cast<unsigned>(v4 ? 14 + random() % 19 : 14 + random() % 115));
  }
  const CidrSet set(ranges);
  int hits = 0;
  for (int i = 0; i < 2000; ++i) {
    const IpAddress address = i % 3 ? random_address(random() % 2) : ranges[random() % ranges.size()].network();
    const bool expected =
        std::any_of(ranges.begin(), ranges.end(), [&](const Cidr& range) { return range.contains(address); });
    EXPECT_EQ(set.contains(address), expected) << address.to_string();
    hits += expected;
  }
  EXPECT_GT(hits, 300);
  EXPECT_LT(hits, 1950);
}

}  // namespace
}  // namespace telltale::net
