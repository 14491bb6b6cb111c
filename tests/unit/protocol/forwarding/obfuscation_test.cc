#include "protocol/forwarding/obfuscation.h"

#include "protocol/forwarding/forwarded.h"
#include "tests/unit/protocol/forwarding/support.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace telltale::forwarding {
namespace {

using namespace test;

// The key of the reference implementation's vectors: octets 0 to 15.
constexpr ObfuscationKey reference{0x0706050403020100, 0x0f0e0d0c0b0a0908};

TEST(SipHash, AgreesWithTheReferenceVectors) {
  struct Case {
    std::size_t size;  // of the message: octets 0, 1, 2 …
    std::uint64_t hash;
  };
  const Case cases[] = {
      {0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd}, {2, 0x0d6c8009d9a94f5a},  {3, 0x85676696d7fb7e2d},
      {7, 0xab0200f58b01d137}, {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5},  // the one in the paper
  };
  std::string message;
  for (char octet = 0; octet < 15; ++octet) message += octet;
  for (const Case& c : cases) EXPECT_EQ(siphash(reference, message.substr(0, c.size)), c.hash) << c.size;
}

TEST(ObfuscatedIdentifier, IsTheGrammarOfRfc7239Section63) {
  struct Case {
    std::string text;
    bool right;
  };
  const Case cases[] = {
      {"_a", true},
      {"_edge1", true},
      {"_SEVKISEK.a-b_9", true},
      {"__", true},
      {"_", false},
      {"", false},
      {"edge1", false},
      {"_edge 1", false},
      {"_a:80", false},
      {"_\"a", false},
      {"_a/b", false},
      {"_\xC3\xA4", false},
      {std::string("_a\0", 3), false},
  };
  for (const Case& c : cases) EXPECT_EQ(is_obfuscated_identifier(c.text), c.right) << c.text;
}

std::string id(const ObfuscationKey& key, const char* address, std::uint64_t connection) {
  std::string out;
  append_obfuscated(out, key, address ? net::IpAddress::parse(address) : std::nullopt, connection);
  return out;
}

TEST(ObfuscatedIdentifier, IsOneForTheSameAndAnotherForAnyOther) {
  const std::string one = id(reference, "192.0.2.1", 1);
  EXPECT_EQ(one, id(reference, "192.0.2.1", 1)) << "the same connection, the same id";
  EXPECT_EQ(one.size(), 17u);
  const auto node = parse_node(one);
  ASSERT_TRUE(node);
  EXPECT_EQ(node->kind, Node::Kind::obfuscated) << "readers take it for what it is";

  const ObfuscationKey other{reference.k0, reference.k1 + 1};
  std::set<std::string> all = {one};
  for (const std::string& each : {id(reference, "192.0.2.1", 0), id(reference, "192.0.2.1", 2),
                                  id(reference, "192.0.2.2", 1), id(reference, nullptr, 1), id(other, "192.0.2.1", 1),
                                  id(reference, "c000:201::", 1), id(reference, "0.0.0.0", 1)}) {
    EXPECT_TRUE(all.insert(each).second) << each;
  }
}

TEST(ObfuscatedIdentifier, ManyConnectionsHaveManyIds) {
  std::set<std::string> all;
  for (std::uint64_t number = 1; number <= 10'000; ++number) all.insert(id(reference, "192.0.2.1", number));
  EXPECT_EQ(all.size(), 10'000u);
}

}  // namespace
}  // namespace telltale::forwarding
