#include "protocol/assertion/assertion.h"

#include <gtest/gtest.h>

#include <string>

namespace telltale::assertion {
namespace {

constexpr const char* new_key = "2026-11 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
constexpr const char* old_key =
    "old ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKi4yNjo+QkZKTlJWWl5iZmpucnZ6foKGiow==\n";
constexpr std::int64_t signed_at = 1'763'971'200;

// Made with Python's hmac module.
constexpr std::string_view golden =
    "v1;kid=2026-11;t=1763971200;c=198.51.100.7:52110;a=shop.example.com;s=oZZqI5StfW9IxwekqqeRzPD-5sbVAOKJ48iHMlDhTmM";
constexpr std::string_view golden_old =
    "v1;kid=old;t=0;c=[2001:db8::7]:0;a=;s=tUTOnB7cRWQxp2GLq1PDRaoGXbVe7lPF83kUiMBqyB4";

Keyring keyring(const std::string& text) {
  std::string problem;
  return Keyring(*KeySet::parse(text, problem));
}
Keyring both() { return keyring(std::string(new_key) + old_key); }

Verdict check(std::string_view text, Keyring& keys, std::int64_t now = signed_at,
              std::optional<std::string_view> authority = "shop.example.com") {
  const auto parsed = parse(text);
  return parsed ? verify(*parsed, keys, now, {}, authority) : Verdict::malformed;
}

net::IpPort at(std::string_view address, std::uint16_t port) { return {*net::IpAddress::parse(address), port}; }

TEST(Assertion, IsWrittenAsAnIndependentImplementationWritesIt) {
  Keyring keys = both();
  std::string out = "kept ";
  ASSERT_TRUE(append_signed(out, keys, signed_at, at("198.51.100.7", 52110), "shop.example.com"));
  EXPECT_EQ(out, "kept " + std::string(golden));
  Keyring old = keyring(old_key);
  out.clear();
  ASSERT_TRUE(append_signed(out, old, 0, at("2001:db8::7", 0), ""));
  EXPECT_EQ(out, golden_old);
}

TEST(Assertion, SaysWhatWasSigned) {
  const auto parsed = parse(golden);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->statement.key_id, "2026-11");
  EXPECT_EQ(parsed->statement.time, signed_at);
  EXPECT_EQ(parsed->statement.client, at("198.51.100.7", 52110));
  EXPECT_EQ(parsed->statement.authority, "shop.example.com");
}

TEST(Assertion, ReadsBackWhatItWrites) {
  Keyring keys = both();
  const net::IpPort clients[] = {at("0.0.0.0", 0), at("255.255.255.255", 65535),    at("::", 1),
                                 at("::1", 80),    at("2001:db8:1:2:3:4:5:6", 443), at("::ffff:192.0.2.1", 7)};
  const std::string authorities[] = {"", "a", "shop.example.com:8443", "[2001:db8::1]:80", std::string(261, 'x')};
  for (const auto& client : clients) {
    for (const std::string& authority : authorities) {
      for (const std::int64_t time : {std::int64_t{0}, signed_at, std::int64_t{99'999'999'999}}) {
        std::string text;
        ASSERT_TRUE(append_signed(text, keys, time, client, authority));
        EXPECT_LE(text.size(), max_size);
        const auto parsed = parse(text);
        ASSERT_TRUE(parsed) << text;
        EXPECT_EQ(parsed->statement.client, client) << text;
        EXPECT_EQ(check(text, keys, time, authority), Verdict::valid) << text;
      }
    }
  }
}

TEST(Assertion, WritesNothingThatItCouldNotRead) {
  Keyring keys = both();
  std::string out = "kept";
  EXPECT_FALSE(append_signed(out, keys, -1, at("192.0.2.1", 1), "a"));
  EXPECT_FALSE(append_signed(out, keys, 100'000'000'000, at("192.0.2.1", 1), "a"));
  for (const char* authority : {"a;b", "Shop", "a b", "a/b", "a\r\nb", "a,b", "\xc3\xa4", "u@a"}) {
    EXPECT_FALSE(append_signed(out, keys, 1, at("192.0.2.1", 1), authority)) << authority;
  }
  EXPECT_FALSE(append_signed(out, keys, 1, at("192.0.2.1", 1), std::string(262, 'x')));
  EXPECT_EQ(out, "kept");
}

TEST(Assertion, IsSpoiltByAChangeOfAnyOctet) {
  Keyring keys = both();
  ASSERT_EQ(check(golden, keys), Verdict::valid);
  for (std::size_t i = 0; i < golden.size(); ++i) {
    for (unsigned octet = 0; octet < 256; ++octet) {
      std::string text(golden);
      if (static_cast<unsigned char>(text[i]) == octet) continue;
      text[i] = static_cast<char>(octet);
      const Verdict verdict = check(text, keys);
      EXPECT_TRUE(verdict == Verdict::malformed || verdict == Verdict::unknown_key || verdict == Verdict::bad_signature)
          << "octet " << i << " as " << octet << ": " << to_string(verdict);
    }
    EXPECT_NE(check(std::string(golden).erase(i, 1), keys), Verdict::valid) << "without octet " << i;
    EXPECT_NE(check(std::string(golden).insert(i, 1, golden[i]), keys), Verdict::valid) << "octet " << i << " twice";
    EXPECT_NE(check(golden.substr(0, i), keys), Verdict::valid) << "cut at " << i;
  }
}

TEST(Assertion, HasOneText) {
  struct Case {
    const char* what;
    const char* from;
    const char* to;
  };
  constexpr Case cases[] = {
      {"another version", "v1;", "v2;"},
      {"an upper-case version", "v1;", "V1;"},
      {"a blank", "v1;kid", "v1; kid"},
      {"a field twice", "t=1763971200;", "t=1763971200;t=1763971200;"},
      {"another order", "kid=2026-11;t=1763971200;", "t=1763971200;kid=2026-11;"},
      {"a field that is not there", "t=1763971200;", ""},
      {"an unknown field", ";s=", ";x=1;s="},
      {"no key id", "kid=2026-11", "kid="},
      {"no time", "t=1763971200", "t="},
      {"a leading zero", "t=1763971200", "t=01763971200"},
      {"a sign", "t=1763971200", "t=-176397120"},
      {"a plus", "t=1763971200", "t=+1763971200"},
      {"a fraction", "t=1763971200", "t=1763971200.5"},
      {"a time too long", "t=1763971200", "t=176397120012"},
      {"hexadecimal", "t=1763971200", "t=0x69243b80"},
      {"no port", "198.51.100.7:52110", "198.51.100.7"},
      {"an empty port", "198.51.100.7:52110", "198.51.100.7:"},
      {"a port with a leading zero", ":52110", ":052110"},
      {"a port too large", ":52110", ":65536"},
      {"an address with a leading zero", "198.51.100.7", "198.51.100.07"},
      {"a mapped address", "198.51.100.7:", "[::ffff:198.51.100.7]:"},
      {"an IPv6 address not in its canonical form", "198.51.100.7:", "[2001:DB8::7]:"},
      {"an IPv6 address at length", "198.51.100.7:", "[2001:db8:0:0:0:0:0:7]:"},
      {"IPv6 without brackets", "198.51.100.7:", "2001:db8::7:"},
      {"a zone", "198.51.100.7:", "[fe80::1%25eth0]:"},
      {"every interface", "198.51.100.7:", ":"},
      {"a name", "198.51.100.7", "client.example"},
      {"an upper-case authority", "a=shop", "a=Shop"},
      {"padding", "hTmM", "hTmM="},
      {"plain base64", "zPD-5", "zPD+5"},
      {"a short signature", "hTmM", "hTm"},
      {"spare bits in the signature", "hTmM", "hTmN"},
      {"something behind", "hTmM", "hTmM;"},
  };
  for (const Case& c : cases) {
    std::string text(golden);
    const std::size_t found = text.find(c.from);
    ASSERT_NE(found, text.npos) << c.what;
    text.replace(found, std::string_view(c.from).size(), c.to);
    EXPECT_FALSE(parse(text)) << c.what << ": " << text;
  }
  EXPECT_FALSE(parse(""));
  EXPECT_FALSE(parse(std::string(10'000, 'v')));
}

TEST(Assertion, IsAcceptedFromTheCurrentAndThePreviousKey) {
  Keyring rotated = keyring("2026-12 //////////////////////////////////////////8=\n" + std::string(new_key));
  EXPECT_EQ(check(golden, rotated), Verdict::valid) << "the previous key";
  std::string text;
  ASSERT_TRUE(append_signed(text, rotated, signed_at, at("192.0.2.1", 1), "shop.example.com"));
  EXPECT_TRUE(text.starts_with("v1;kid=2026-12;")) << "the current one signs";
  Keyring before = keyring(new_key);
  EXPECT_EQ(check(text, before), Verdict::unknown_key);
  Keyring after = keyring("2026-12 //////////////////////////////////////////8=\n");
  EXPECT_EQ(check(golden, after), Verdict::unknown_key) << "rotated out";
  Keyring other = keyring("2026-11 //////////////////////////////////////////8=\n");
  EXPECT_EQ(check(golden, other), Verdict::bad_signature) << "another key of the same id";
}

TEST(Assertion, IsBelievedWithinItsWindow) {
  Keyring keys = both();
  struct Case {
    std::int64_t after;
    Verdict verdict;
  };
  constexpr Case cases[] = {{-1000, Verdict::not_yet_valid},
                            {-6, Verdict::not_yet_valid},
                            {-5, Verdict::valid},
                            {0, Verdict::valid},
                            {30, Verdict::valid},
                            {31, Verdict::expired},
                            {1'000'000, Verdict::expired}};
  for (const Case& c : cases) EXPECT_EQ(check(golden, keys, signed_at + c.after), c.verdict) << c.after;
  const auto parsed = parse(golden);
  const Window narrow{std::chrono::seconds(1), std::chrono::seconds(0)};
  EXPECT_EQ(verify(*parsed, keys, signed_at + 1, narrow, std::nullopt), Verdict::valid);
  EXPECT_EQ(verify(*parsed, keys, signed_at + 2, narrow, std::nullopt), Verdict::expired);
  EXPECT_EQ(verify(*parsed, keys, signed_at - 1, narrow, std::nullopt), Verdict::not_yet_valid);
}

TEST(Assertion, IsForOneAuthority) {
  Keyring keys = both();
  for (const char* authority : {"", "shop.example.co", "shop.example.com:80", "evil.example", "shop.example.com."}) {
    EXPECT_EQ(check(golden, keys, signed_at, authority), Verdict::other_authority) << authority;
  }
  EXPECT_EQ(check(golden, keys, signed_at, std::nullopt), Verdict::valid) << "nobody asked";
}

TEST(Assertion, SaysNothingOfTheContentsOfWhatIsNotSigned) {
  Keyring keys = both();
  std::string forged(golden);
  forged.replace(forged.find("1763971200"), 10, "1000000000");
  EXPECT_EQ(check(forged, keys, signed_at, "evil.example"), Verdict::bad_signature);
}

TEST(Assertion, NamesEveryVerdict) {
  for (std::size_t i = 0; i < verdict_count; ++i) {
    const auto verdict = static_cast<Verdict>(i);
    EXPECT_FALSE(to_string(verdict).empty());
    const boost::system::error_code error = verdict;
    EXPECT_EQ(static_cast<bool>(error), verdict != Verdict::valid);
    EXPECT_EQ(error.message().find("unknown verdict"), std::string::npos);
  }
}

}  // namespace
}  // namespace telltale::assertion
