#include "protocol/assertion/key_set.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace telltale::assertion {
namespace {

constexpr const char* key_32 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
constexpr const char* key_64 =
    "ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKi4yNjo+QkZKTlJWWl5iZmpucnZ6foKGiow==";

std::string hex(std::span<const std::uint8_t> octets) {
  std::string out;
  for (const std::uint8_t octet : octets) {
    out += "0123456789abcdef"[octet >> 4];
    out += "0123456789abcdef"[octet & 15];
  }
  return out;
}

TEST(HmacSha256, FollowsRfc4231) {
  struct Case {
    std::string key, message;
    const char* mac;
  };
  const Case cases[] = {
      {std::string(20, '\x0b'), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {std::string(20, '\xaa'), std::string(50, '\xdd'),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
  };
  for (const Case& c : cases) {
    HmacSha256 hmac({reinterpret_cast<const std::uint8_t*>(c.key.data()), c.key.size()});
    for (int again = 0; again < 3; ++again) {
      Mac mac;
      ASSERT_TRUE(hmac.compute(c.message, mac));
      EXPECT_EQ(hex(mac), c.mac) << "message " << again << " of one context";
    }
  }
}

TEST(KeySet, ReadsTheCurrentAndThePreviousKey) {
  std::string problem;
  const auto set = KeySet::parse(
      std::string("# keys of the edge\r\n\r\n  2026-11 \t") + key_32 + "  \r\n# the old one\n2026-10 " + key_64,
      problem);
  ASSERT_TRUE(set) << problem;
  ASSERT_EQ(set->keys().size(), 2U);
  EXPECT_EQ(set->keys()[0].id, "2026-11");
  EXPECT_EQ(hex(set->keys()[0].secret.octets()), "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  EXPECT_EQ(set->keys()[1].id, "2026-10");
  EXPECT_EQ(set->keys()[1].secret.octets().size(), 64U);
}

TEST(KeySet, SaysWhatIsWrongAndInWhichLineButNothingOfAKey) {
  const std::string one = std::string("a ") + key_32 + "\n";
  struct Case {
    const char* what;
    std::string text;
    const char* problem;
  };
  const Case cases[] = {
      {"nothing", "", "there is no key in it; a line is a key id, a space, and the key in base64"},
      {"comments alone", "# none\n\n", "there is no key in it; a line is a key id, a space, and the key in base64"},
      {"no id", std::string("\n") + key_32, "line 2: a line is a key id, a space, and the key in base64"},
      {"a bad id", std::string("a;b ") + key_32, "line 1: the key id is not 1 to 32 of A-Z, a-z, 0-9, `.`, `_`, `-`"},
      {"a long id", std::string(33, 'a') + " " + key_32,
       "line 1: the key id is not 1 to 32 of A-Z, a-z, 0-9, `.`, `_`, `-`"},
      {"a short key", "a c2VjcmV0",
       "line 1: the key is not base64 of 32 to 64 octets; `openssl rand -base64 32` makes one"},
      {"a long key", "a " + std::string(88, 'A'),
       "line 1: the key is not base64 of 32 to 64 octets; `openssl rand -base64 32` makes one"},
      {"no base64", "a hunter2-hunter2-hunter2-hunter2-hunter2-hu",
       "line 1: the key is not base64 of 32 to 64 octets; `openssl rand -base64 32` makes one"},
      {"one id twice", one + one, "line 2: the key id of the first key again"},
      {"three keys", one + "b " + key_32 + "\nc " + key_32,
       "line 3: a third key; two are accepted, the current and the previous"},
  };
  for (const Case& c : cases) {
    std::string problem;
    EXPECT_FALSE(KeySet::parse(c.text, problem)) << c.what;
    EXPECT_EQ(problem, c.problem) << c.what;
  }
}

TEST(Secret, IsWipedWhereItWas) {
  Secret secret;
  ASSERT_TRUE(secret.parse(key_64));
  const std::uint8_t* const before = secret.octets().data();
  const Secret moved = std::move(secret);
  EXPECT_EQ(moved.octets().size(), 64U);
  EXPECT_EQ(hex({before, 64}), std::string(128, '0'));

  Secret again;
  ASSERT_TRUE(again.parse(key_32));
  EXPECT_FALSE(again.parse("AAAA"));
  EXPECT_TRUE(again.octets().empty());
  EXPECT_EQ(hex({again.octets().data(), 32}), std::string(64, '0'));
}

}  // namespace
}  // namespace telltale::assertion
