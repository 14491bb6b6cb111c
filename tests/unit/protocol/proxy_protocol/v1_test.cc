#include "tests/unit/protocol/proxy_protocol/parser_harness.h"

#include <gtest/gtest.h>

#include <string>

namespace telltale::proxy_protocol {
namespace {

using Status = Parser::Status;

struct AcceptedCase {
  const char* description;
  std::string line;
  Command command;
  Family family;
  std::string source, destination;
};

TEST(ProxyV1, ReadsWhatTheLineSays) {
  const AcceptedCase cases[] = {
      {"TCP4", "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", Command::proxy, Family::inet, "192.168.0.1:56324",
       "192.168.0.11:443"},
      {"TCP4, as long as it gets", "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", Command::proxy,
       Family::inet, "255.255.255.255:65535", "255.255.255.255:65535"},
      {"TCP4, port 0", "PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n", Command::proxy, Family::inet, "1.2.3.4:0", "5.6.7.8:0"},
      {"TCP6", "PROXY TCP6 2001:db8::1 2001:db8::2 4124 443\r\n", Command::proxy, Family::inet6, "[2001:db8::1]:4124",
       "[2001:db8::2]:443"},
      {"TCP6, as long as it gets",
       "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
       Command::proxy, Family::inet6, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
       "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
      {"TCP6, upper case and leading zeros", "PROXY TCP6 2001:0DB8::00A1 ::1 1 2\r\n", Command::proxy, Family::inet6,
       "[2001:db8::a1]:1", "[::1]:2"},
      {"TCP6 with two mapped addresses", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n", Command::proxy,
       Family::inet, "192.0.2.1:1", "192.0.2.2:2"},
      {"TCP6 with one mapped address", "PROXY TCP6 ::ffff:c000:201 2001:db8::2 1 2\r\n", Command::proxy, Family::inet6,
       "192.0.2.1:1", "[2001:db8::2]:2"},
      {"UNKNOWN, short form", "PROXY UNKNOWN\r\n", Command::local, Family::unspecified, "", ""},
      {"UNKNOWN with addresses", "PROXY UNKNOWN 2001:db8::1 2001:db8::2 4124 443\r\n", Command::local,
       Family::unspecified, "", ""},
      {"UNKNOWN with anything", "PROXY UNKNOWN  \x01\xff PROXY TCP4 1.2.3.4\r\n", Command::local, Family::unspecified,
       "", ""},
      {"UNKNOWN, 107 octets", "PROXY UNKNOWN " + std::string(91, 'f') + "\r\n", Command::local, Family::unspecified, "",
       ""},
  };
  for (const auto& c : cases) {
    for (const std::string payload :
         {"", "GET / HTTP/1.1\r\n\r\n", "\r\n", "\n", "PROXY TCP4 9.9.9.9 9.9.9.9 9 9\r\n"}) {
      SCOPED_TRACE(std::string(c.description) + " before '" + payload + "'");
      const Seen seen = parse_every_way(c.line + payload);
      EXPECT_EQ(seen.status, Status::complete) << seen;
      EXPECT_EQ(seen.consumed, c.line.size());
      EXPECT_EQ(seen.payload, payload);
      EXPECT_EQ(seen.header.version, Version::v1);
      EXPECT_EQ(seen.header.command, c.command);
      EXPECT_EQ(seen.header.family, c.family);
      EXPECT_EQ(seen.header.transport, c.command == Command::proxy ? Transport::stream : Transport::unspecified);
      EXPECT_EQ(seen.header.source ? seen.header.source->to_string() : "", c.source);
      EXPECT_EQ(seen.header.destination ? seen.header.destination->to_string() : "", c.destination);
      EXPECT_EQ(seen.header.tlvs, "");
    }
  }
}

TEST(ProxyV1, RefusesWhatDoesNotMatchExactly) {
  struct {
    const char* description;
    std::string input;
    Error error;
  } const cases[] = {
      {"unknown protocol", "PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n", Error::v1_malformed},
      {"UDP", "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n", Error::v1_malformed},
      {"lower case protocol", "PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n", Error::v1_malformed},
      {"lower case unknown", "PROXY unknown\r\n", Error::v1_malformed},
      {"UNKNOWN run together", "PROXY UNKNOWNX\r\n", Error::v1_malformed},
      {"no protocol", "PROXY \r\n", Error::v1_malformed},
      {"two spaces after PROXY", "PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n", Error::v1_malformed},
      {"two spaces between addresses", "PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n", Error::v1_malformed},
      {"space before CRLF", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", Error::v1_malformed},
      {"tab for space", "PROXY TCP4\t1.2.3.4 5.6.7.8 1 2\r\n", Error::v1_malformed},
      {"a field too few", "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", Error::v1_malformed},
      {"a field too many", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n", Error::v1_malformed},
      {"protocol alone", "PROXY TCP4\r\n", Error::v1_malformed},
      {"bare LF", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\nGET / HTTP/1.1\r\n", Error::v1_malformed},
      {"bare CR", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rGET / HTTP/1.1\r\n", Error::v1_malformed},
      {"CR CR LF", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n", Error::v1_malformed},
      {"bare LF in UNKNOWN", "PROXY UNKNOWN\nGET / HTTP/1.1\r\n", Error::v1_malformed},
      {"bare CR in UNKNOWN", "PROXY UNKNOWN \rx\r\n", Error::v1_malformed},
      {"IPv6 under TCP4", "PROXY TCP4 ::1 ::1 1 2\r\n", Error::v1_bad_address},
      {"mapped under TCP4", "PROXY TCP4 ::ffff:1.2.3.4 5.6.7.8 1 2\r\n", Error::v1_bad_address},
      {"IPv4 under TCP6", "PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n", Error::v1_bad_address},
      {"mixed under TCP6", "PROXY TCP6 2001:db8::1 5.6.7.8 1 2\r\n", Error::v1_bad_address},
      {"octet over 255", "PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n", Error::v1_bad_address},
      {"leading zero in an octet", "PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n", Error::v1_bad_address},
      {"three octets", "PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n", Error::v1_bad_address},
      {"NUL in an address", std::string("PROXY TCP4 1.2.3.4\0 5.6.7.8 1 2\r\n", 33), Error::v1_bad_address},
      {"zone", "PROXY TCP6 fe80::1%0 ::1 1 2\r\n", Error::v1_bad_address},
      {"brackets", "PROXY TCP6 [::1] [::1] 1 2\r\n", Error::v1_bad_address},
      {"host name", "PROXY TCP4 localhost 5.6.7.8 1 2\r\n", Error::v1_bad_address},
      {"bad destination", "PROXY TCP4 1.2.3.4 5.6.7.8. 1 2\r\n", Error::v1_bad_address},
      {"source port over 65535", "PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n", Error::v1_bad_address},
      {"destination port over 65535", "PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n", Error::v1_bad_address},
      {"port beyond 32 bits", "PROXY TCP4 1.2.3.4 5.6.7.8 4294967297 2\r\n", Error::v1_bad_address},
      {"leading zero in a port", "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n", Error::v1_bad_address},
      {"double zero port", "PROXY TCP4 1.2.3.4 5.6.7.8 1 00\r\n", Error::v1_bad_address},
      {"signed port", "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n", Error::v1_bad_address},
      {"negative port", "PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n", Error::v1_bad_address},
      {"hexadecimal port", "PROXY TCP4 1.2.3.4 5.6.7.8 0x1 2\r\n", Error::v1_bad_address},
      {"108 octets with CRLF", "PROXY UNKNOWN " + std::string(92, 'f') + "\r\n", Error::v1_too_long},
      {"107 octets and no CRLF", "PROXY UNKNOWN " + std::string(93, 'f'), Error::v1_too_long},
      {"CR as the 107th octet", "PROXY UNKNOWN " + std::string(92, 'f') + "\rx", Error::v1_too_long},
      {"endless", "PROXY TCP4 " + std::string(1000, '1'), Error::v1_too_long},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    const Seen seen = parse_every_way(c.input);
    EXPECT_EQ(seen.status, Status::failed) << seen;
    EXPECT_EQ(seen.error, make_error_code(c.error)) << seen;
    EXPECT_EQ(seen.header, Header{});
  }
}

TEST(ProxyV1, WaitsForTheWholeLine) {
  const std::string line = "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n";
  for (std::size_t size = 0; size < line.size(); ++size) {
    SCOPED_TRACE(size);
    EXPECT_EQ(parse_every_way(std::string_view(line).substr(0, size)).status, Status::need_more);
  }
}

TEST(ProxyV1, StopsAtTheCrlfEvenWhenFedPastItAfterACut) {
  const std::string line = "PROXY UNKNOWN\r\n";
  const std::string second = "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n";
  Parser parser;
  EXPECT_EQ(parser.feed("PRO").status, Status::need_more);
  EXPECT_EQ(parser.buffered(), "PRO");
  const auto outcome = parser.feed(line.substr(3) + second);
  EXPECT_EQ(outcome.status, Status::complete);
  EXPECT_EQ(outcome.consumed, line.size() - 3);

  parser.reset();
  EXPECT_EQ(parser.buffered(), "");
  EXPECT_EQ(parser.feed(second).consumed, second.size());
  EXPECT_EQ(parser.header().source, ip_port("1.2.3.4:1"));
}

}  // namespace
}  // namespace telltale::proxy_protocol
