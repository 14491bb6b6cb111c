#include "protocol/proxy_protocol/parser.h"

#include "tests/unit/protocol/proxy_protocol/parser_harness.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace telltale::proxy_protocol {
namespace {

using Status = Parser::Status;

TEST(ProxyParser, GivesBackEveryOctetOfWhatIsNoHeader) {
  const struct {
    const char* description;
    std::string input;
  } cases[] = {
      {"plain HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"POST shares an octet", "POST / HTTP/1.1\r\n\r\n"},
      {"PROPFIND shares three", "PROPFIND / HTTP/1.1\r\n\r\n"},
      {"one octet off", "PROXZ TCP4 1.2.3.4 5.6.7.8 1 2\r\n"},
      {"the last octet of the signature off", "PROXY\tTCP4 1.2.3.4 5.6.7.8 1 2\r\n"},
      {"PROXY and CRLF", "PROXY\r\n"},
      {"lower case", "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n"},
      {"space in front", " PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"},
      {"empty lines before a request", "\r\n\r\nGET / HTTP/1.1\r\n\r\n"},
      {"one empty line before a request", "\r\nGET / HTTP/1.1\r\n\r\n"},
      {"empty line before a v1 header", "\r\nPROXY UNKNOWN\r\n"},
      {"LF alone", "\nGET /"},
      {"v2 signature, last octet off", v2_signature.substr(0, 11) + "\r" + octets({0x21, 0x11, 0, 12})},
      {"v2 signature, NUL missing", "\r\n\r\n\r\nQUIT\n!"},
      {"TLS ClientHello", octets({0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3})},
      {"NUL", std::string(20, '\0')},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    const Seen seen = parse_every_way(c.input);
    EXPECT_EQ(seen.status, Status::no_signature) << seen;
    EXPECT_EQ(seen.payload, c.input);
    EXPECT_EQ(seen.consumed, 0u);
    EXPECT_EQ(seen.error, boost::system::error_code());
  }
}

TEST(ProxyParser, WaitsWhileTheOctetsMayBecomeASignature) {
  for (const std::string& whole : {std::string("PROXY "), v2_signature}) {
    for (std::size_t size = 0; size <= whole.size(); ++size) {
      SCOPED_TRACE(whole.substr(0, size));
      Parser parser;
      EXPECT_EQ(parser.feed(whole.substr(0, size)).status, Status::need_more);
      EXPECT_EQ(parser.buffered(), whole.substr(0, size));
    }
  }
}

TEST(ProxyParser, KeepsABufferedPrefixApartFromTheInputThatRefutesIt) {
  struct {
    std::string first, second;
  } const cases[] = {
      {"P", "OST / HTTP/1.1\r\n"},           {"PR", "OPFIND /"},  {"PROXY", "X"},
      {std::string("\r\n\r\n\0", 5), "GET"}, {"\r\n\r\n", "GET"}, {v2_signature.substr(0, 11), std::string(5000, 'x')},
  };
  for (const auto& c : cases) {
    Parser parser;
    EXPECT_EQ(parser.feed(c.first).status, Status::need_more);
    const auto outcome = parser.feed(c.second);
    EXPECT_EQ(outcome.status, Status::no_signature);
    EXPECT_EQ(outcome.consumed, 0u);
    EXPECT_EQ(parser.buffered(), c.first);
  }
}

TEST(ProxyParser, TakesAnEmptyInputForNothing) {
  Parser parser;
  for (int i = 0; i < 3; ++i) {
    const auto outcome = parser.feed("");
    EXPECT_EQ(outcome.status, Status::need_more);
    EXPECT_EQ(outcome.consumed, 0u);
  }
  EXPECT_EQ(parser.feed("PROXY UNK").status, Status::need_more);
  EXPECT_EQ(parser.feed("").status, Status::need_more);
  EXPECT_EQ(parser.feed("NOWN\r\n").status, Status::complete);
}

TEST(ProxyParser, ReadsHeaderAfterHeaderWhenReset) {
  const std::string first = v2_header(0x21, 0x31, std::string(216, 'a') + tlv(2, "one"));
  const std::string second = "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n";
  const std::string third = v2_header(0x20, 0, "");
  const std::string input = first + second + third + "GET /";
  Parser parser;
  std::string_view rest = input;
  rest.remove_prefix(parser.feed(rest).consumed);
  EXPECT_EQ(parser.header().family, Family::unix);
  parser.reset();
  EXPECT_EQ(parser.header(), Header{});
  rest.remove_prefix(parser.feed(rest).consumed);
  EXPECT_EQ(parser.header().source, ip_port("1.2.3.4:1"));
  EXPECT_EQ(parser.header().tlvs, "");
  EXPECT_EQ(parser.header().source_path, "");
  parser.reset();
  rest.remove_prefix(parser.feed(rest).consumed);
  EXPECT_EQ(parser.header(), Header{});
  EXPECT_EQ(rest, "GET /");
}

TEST(ProxyParser, NamesEveryErrorDistinctly) {
  std::set<std::string> messages;
  std::set<std::string_view> labels;
  for (int value = static_cast<int>(Error::v1_malformed); value <= static_cast<int>(Error::v2_bad_crc32c); ++value) {
    const boost::system::error_code code = static_cast<Error>(value);
    EXPECT_TRUE(code);
    EXPECT_EQ(&code.category(), &error_category());
    messages.insert(code.message());
    labels.insert(error_label(static_cast<Error>(value)));
  }
  EXPECT_EQ(messages.size(), 10u);
  EXPECT_EQ(labels.size(), 10u);
  EXPECT_EQ(labels.count("unknown"), 0u);
  EXPECT_EQ(error_label(Error::v2_bad_crc32c), "v2_bad_crc32c");
}

}  // namespace
}  // namespace telltale::proxy_protocol
