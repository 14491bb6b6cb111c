#include "protocol/forwarding/forwarded.h"

#include <gtest/gtest.h>

#include <array>
#include <regex>
#include <string>
#include <vector>

namespace telltale::forwarding {
namespace {

std::string shown(const ForwardedValue& value) {
  if (!value.present) return "-";
  std::array<char, 4096> scratch;
  const auto text = value.unescape(scratch);
  return text ? std::string(*text) : "too long";
}

// for|by|host|proto, or "malformed".
std::string parsed(std::string_view text) {
  ForwardedElement element;
  if (!parse_forwarded_element(text, element)) return "malformed";
  return shown(element.for_node) + "|" + shown(element.by_node) + "|" + shown(element.host) + "|" +
         shown(element.proto);
}

TEST(ForwardedElement, ReadsWhatRfc7239Allows) {
  struct Case {
    const char* description;
    const char* text;
    const char* expected;
  };
  const Case cases[] = {
      {"RFC 7239 4, first example", "for=\"_gazonk\"", "_gazonk|-|-|-"},
      {"RFC 7239 4, IPv6 and port, name in capitals", "For=\"[2001:db8:cafe::17]:4711\"",
       "[2001:db8:cafe::17]:4711|-|-|-"},
      {"RFC 7239 4, three parameters", "for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60|203.0.113.43|-|http"},
      {"all four", "for=192.0.2.1;by=_b;host=\"a:80\";proto=https", "192.0.2.1|_b|a:80|https"},
      {"any case", "FOR=192.0.2.1;bY=_b;HOST=a;Proto=http", "192.0.2.1|_b|a|http"},
      {"empty pairs", ";;for=192.0.2.1;;proto=http;", "192.0.2.1|-|-|http"},
      {"nothing but semicolons", ";", "-|-|-|-"},
      {"empty", "", "-|-|-|-"},
      {"white space around semicolons", " \tfor=192.0.2.1\t; proto=http ", "192.0.2.1|-|-|http"},
      {"extension parameter", "secret=abc;for=192.0.2.1", "192.0.2.1|-|-|-"},
      {"twelve extensions", "a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1;i=1;j=1;k=1;l=1;for=_x", "_x|-|-|-"},
      {"quoted token", "for=\"192.0.2.1\"", "192.0.2.1|-|-|-"},
      {"empty quoted-string", "host=\"\"", "-|-||-"},
      {"escaped quote and backslash", R"(host="a\"b\\c")", R"(-|-|a"b\c|-)"},
      {"needless escapes", R"(for="\1\9\2.0.2.1")", "192.0.2.1|-|-|-"},
      {"separators inside quotes", "host=\"a,b;c=d\";for=_x", "_x|-|a,b;c=d|-"},
      {"tab in quotes", "host=\"a\tb\"", "-|-|a\tb|-"},
      {"obs-text in quotes", "host=\"\xC3\xA4\"", "-|-|\xC3\xA4|-"},
      {"every tchar", "host=!#$%&'*+-.^_`|~09azAZ", "-|-|!#$%&'*+-.^_`|~09azAZ|-"},
  };
  for (const Case& c : cases) EXPECT_EQ(parsed(c.text), c.expected) << c.description;
}

TEST(ForwardedElement, RefusesWhatIsNotTheGrammar) {
  struct Case {
    const char* description;
    std::string text;
  };
  const Case cases[] = {
      {"name alone", "for"},
      {"no value", "for="},
      {"no value before a semicolon", "for=;proto=http"},
      {"no name", "=192.0.2.1"},
      {"IPv6 without quotes", "for=[2001:db8::1]"},
      {"port without quotes", "for=192.0.2.1:4711"},
      {"space before =", "for =192.0.2.1"},
      {"space behind =", "for= 192.0.2.1"},
      {"two values", "for=192.0.2.1 192.0.2.2"},
      {"comma outside quotes", "for=192.0.2.1,for=192.0.2.2"},
      {"open quote", "for=\"192.0.2.1"},
      {"quote alone", "for=\""},
      {"escape at the end", "for=\"a\\"},
      {"escaped closing quote", "for=\"a\\\""},
      {"octets behind the closing quote", "for=\"a\"b"},
      {"quote inside a token", "for=a\"b\""},
      {"single quotes do not quote", "for='[::1]'"},
      {"for twice", "for=192.0.2.1;for=192.0.2.2"},
      {"for twice, in another case", "for=192.0.2.1;proto=http;FOR=192.0.2.2"},
      {"extension twice", "a=1;for=192.0.2.1;A=2"},
      {"NUL in quotes", std::string("host=\"a\0b\"", 10)},
      {"newline in quotes", "host=\"a\nb\""},
      {"DEL in quotes", "host=\"a\x7f\""},
      {"escaped newline", "host=\"a\\\nb\""},
      {"high octet in a token", "host=\xC3\xA4"},
      {"name with a space", "f or=192.0.2.1"},
      {"thirteen extensions", "a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1;i=1;j=1;k=1;l=1;m=1"},
  };
  for (const Case& c : cases) EXPECT_EQ(parsed(c.text), "malformed") << c.description;
}

// Every text of up to five of these symbols, against the ABNF of RFC 7239 4 and RFC 9110 5.6 as an expression; the one
// thing beyond it is white space around `;`, which senders write. No text of five symbols repeats a parameter.
TEST(ForwardedElement, AcceptsExactlyTheGrammar) {
  const std::string token = "[-!#$%&'*+.^_`|~0-9A-Za-z]+";
  const std::string quoted = R"re("(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*")re";
  const std::string pair = token + "=(?:" + token + "|" + quoted + ")";
  const std::regex element("[ \t]*(?:" + pair + ")?[ \t]*(?:;[ \t]*(?:" + pair + ")?[ \t]*)*");
  const std::string symbols[] = {"for", "x_1", "=", ";", "\"", "\\", " ", "\t", ",", "[", "\x01", "\xC3"};
  constexpr std::size_t most = 5;
  std::array<std::size_t, most> chosen{};
  std::size_t accepted = 0;
  for (std::size_t size = 1; size <= most; ++size) {
    chosen.fill(0);
    for (bool more = true; more;) {
      std::string text;
      for (std::size_t i = 0; i < size; ++i) text += symbols[chosen[i]];
      ForwardedElement out;
      const bool ours = parse_forwarded_element(text, out);
      ASSERT_EQ(ours, std::regex_match(text, element)) << text;
      accepted += ours;
      more = false;
      for (std::size_t i = 0; i < size && !more; ++i) {
        if (++chosen[i] < std::size(symbols)) {
          more = true;
        } else {
          chosen[i] = 0;
        }
      }
    }
  }
  EXPECT_GT(accepted, 500u);
}

TEST(ForwardedElement, EveryCutIsReadInsideItsBounds) {
  const std::string whole = R"( for="[2001:db8::1]:47\11" ; by=_x;host="a\"\\,";;PROTO=https;ext="" )";
  ForwardedElement element;
  ASSERT_TRUE(parse_forwarded_element(whole, element));
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    // An exact copy, so that a read past the end is seen by the sanitizer.
    const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
    const std::string_view text(cut.data(), cut.size());
    if (!parse_forwarded_element(text, element) || !element.for_node.present) continue;
    EXPECT_EQ(shown(element.for_node), "[2001:db8::1]:4711");
  }
}

TEST(ForwardedValue, UnescapeSaysWhenItDoesNotFit) {
  ForwardedElement element;
  const std::string text = "for=\"\\a" + std::string(200, 'b') + "\"";
  ASSERT_TRUE(parse_forwarded_element(text, element));
  std::array<char, 200> small;
  EXPECT_EQ(element.for_node.unescape(small), std::nullopt);
  std::array<char, 201> enough;
  EXPECT_EQ(element.for_node.unescape(enough), "a" + std::string(200, 'b'));
}

std::string shown_node(std::string_view text) {
  const auto node = parse_node(text);
  if (!node) return "none";
  switch (node->kind) {
    case Node::Kind::unknown:
      return "unknown";
    case Node::Kind::obfuscated:
      return "obfuscated " + std::string(node->identifier);
    case Node::Kind::address:
      break;
  }
  return node->address.address.to_string() + " " + std::to_string(node->address.port);
}

TEST(ForwardedNode, ReadsTheFormsOfRfc7239Section6) {
  struct Case {
    const char* description;
    std::string text;
    const char* expected;
  };
  const Case cases[] = {
      {"IPv4", "192.0.2.43", "192.0.2.43 0"},
      {"IPv4 with port", "192.0.2.43:47011", "192.0.2.43 47011"},
      {"IPv4 with obfuscated port", "192.0.2.43:_http-1.x", "192.0.2.43 0"},
      {"IPv6", "[2001:db8:cafe::17]", "2001:db8:cafe::17 0"},
      {"IPv6 with port", "[2001:db8:cafe::17]:47011", "2001:db8:cafe::17 47011"},
      {"IPv6 with obfuscated port", "[2001:db8:cafe::17]:_x", "2001:db8:cafe::17 0"},
      {"CVE-2024-24790: mapped", "[::ffff:192.0.2.1]", "192.0.2.1 0"},
      {"unknown", "unknown", "unknown"},
      {"unknown in capitals", "UNKNOWN", "unknown"},
      {"unknown with port", "unknown:80", "unknown"},
      {"obfuscated", "_hidden", "obfuscated _hidden"},
      {"obfuscated, every octet", "_SEVKISEK.a-b_9", "obfuscated _SEVKISEK.a-b_9"},
      {"obfuscated with port", "_hidden:80", "obfuscated _hidden"},
      {"empty", "", "none"},
      {"IPv6 without brackets", "2001:db8::1", "none"},
      {"underscore alone", "_", "none"},
      {"obfuscated with an illegal octet", "_a/b", "none"},
      {"obfuscated port, empty", "192.0.2.1:_", "none"},
      {"host name", "example.com", "none"},
      {"IPv4 in brackets", "[192.0.2.1]", "none"},
      {"zone id", "[fe80::1%25eth0]", "none"},
      {"leading zero", "192.0.2.01", "none"},
      {"empty port", "192.0.2.1:", "none"},
      {"port out of range", "192.0.2.1:65536", "none"},
      {"open bracket", "[2001:db8::1", "none"},
      {"bracket alone", "[", "none"},
      {"empty brackets", "[]", "none"},
      {"octets behind the bracket", "[2001:db8::1]x:80", "none"},
      {"colon alone", ":", "none"},
      {"port alone", ":80", "none"},
      {"space", "192.0.2.1 ", "none"},
      {"NUL", std::string("192.0.2.1\0", 10), "none"},
  };
  for (const Case& c : cases) EXPECT_EQ(shown_node(c.text), c.expected) << c.description;
}

TEST(ForwardedWriter, QuotesAndBracketsNodes) {
  struct Case {
    const char* address;
    std::uint16_t port;
    const char* expected;
  };
  const Case cases[] = {
      {"192.0.2.1", 0, "192.0.2.1"},
      {"192.0.2.1", 4711, "\"192.0.2.1:4711\""},
      {"2001:db8::1", 0, "\"[2001:db8::1]\""},
      {"2001:db8::1", 4711, "\"[2001:db8::1]:4711\""},
      {"2001:db8::1", 65535, "\"[2001:db8::1]:65535\""},
  };
  for (const Case& c : cases) {
    std::string out = "for=";
    append_node(out, {*net::IpAddress::parse(c.address), c.port});
    EXPECT_EQ(out, std::string("for=") + c.expected);
  }
}

TEST(ForwardedWriter, WritesTokensBareAndTheRestQuoted) {
  struct Case {
    const char* description;
    std::string value;
    const char* expected;  // nullptr: refused
  };
  const Case cases[] = {
      {"token", "example.com", "example.com"},
      {"port", "example.com:80", "\"example.com:80\""},
      {"quote and backslash", "a\"b\\", R"("a\"b\\")"},
      {"separators", "a, b;c", "\"a, b;c\""},
      {"empty", "", nullptr},
      {"newline: response splitting", "a\r\nX: y", nullptr},
      {"NUL", std::string("a\0", 2), nullptr},
      {"DEL", "a\x7f", nullptr},
  };
  for (const Case& c : cases) {
    std::string out = "x";
    EXPECT_EQ(append_forwarded_value(out, c.value), c.expected != nullptr) << c.description;
    EXPECT_EQ(out, c.expected ? std::string("x") + c.expected : "x") << c.description;
  }
}

TEST(ForwardedWriter, QuotesWhatStandsInPlace) {
  std::string out = "x=a\"b";
  EXPECT_TRUE(quote_forwarded_value(out, 2));
  EXPECT_EQ(out, "x=\"a\\\"b\"");
  out = "x=\\\\";
  EXPECT_TRUE(quote_forwarded_value(out, 2));
  EXPECT_EQ(out, "x=\"\\\\\\\\\"");
  out = "x=";
  EXPECT_FALSE(quote_forwarded_value(out, 2));
  EXPECT_EQ(out, "x=");
}

// A small generator with a fixed seed: the same cases in every run.
class Random {
 public:
  std::uint32_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::uint32_t>(state_ >> 33);
  }

 private:
  std::uint64_t state_ = 7239;
};

TEST(ForwardedProperty, WhatTheWriterWritesTheParserReadsBack) {
  Random random;
  for (int round = 0; round < 5000; ++round) {
    std::array<std::uint8_t, 16> octets;
    for (auto& octet : octets) octet = static_cast<std::uint8_t>(random.next() % 4 ? random.next() : 0);
    net::IpPort node{
        random.next() % 2 ? net::IpAddress::v6(octets) : net::IpAddress::v4(octets[0], octets[1], octets[2], octets[3]),
        static_cast<std::uint16_t>(random.next() % 3 ? random.next() : 0)};
    std::string host(1 + random.next() % 12, ' ');
    for (char& c : host) {
      do c = static_cast<char>(random.next());
      while ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f);
    }
    std::string text = "for=";
    append_node(text, node);
    text += ";host=";
    ASSERT_TRUE(append_forwarded_value(text, host));

    ForwardedElement element;
    ASSERT_TRUE(parse_forwarded_element(text, element)) << text;
    EXPECT_EQ(shown(element.host), host);
    const auto back = parse_node(shown(element.for_node));
    ASSERT_TRUE(back) << text;
    EXPECT_EQ(back->kind, Node::Kind::address);
    EXPECT_EQ(back->address, node) << text;
  }
}

}  // namespace
}  // namespace telltale::forwarding
