#include "protocol/proxy_protocol/tlv.h"
#include "tests/unit/protocol/proxy_protocol/parser_harness.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace telltale::proxy_protocol {
namespace {

using Status = Parser::Status;

const std::string inet_block = octets({198, 51, 100, 79, 203, 0, 113, 140, 0xcb, 0x8e, 0, 80});
const std::string inet6_block = octets({0x20, 1,    0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,  // source
                                        0x20, 1,    0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,  // destination
                                        0x10, 0x1c, 1,   0xbb});
const std::string mapped_block = octets({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1,  // source
                                         0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 2,  // destination
                                         0, 1, 0, 2});

std::string unix_block(std::string source, std::string destination) {
  source.resize(108, '\0');
  destination.resize(108, '\0');
  return source + destination;
}

// kubernetes/kubernetes#57250: the health probe of an AWS Network Load Balancer, octet for octet as captured.
const std::string aws_probe =
    v2_header(0x20, 0x11, tlv(3, octets({0xbc, 0xe5, 0x95, 0x1f})) + tlv(4, std::string(0x4a, '\0')));

struct AcceptedCase {
  const char* description;
  std::string input;
  Command command;
  Family family;
  Transport transport;
  std::string source, destination;
  std::string source_path, destination_path;
  std::string tlvs;
};

std::vector<AcceptedCase> accepted_cases() {
  const std::string authority = tlv(2, "shop.example.com");
  const std::string checked = with_right_crc32c(v2_header(0x21, 0x11, inet_block + authority + tlv(3, "abcd")),
                                                16 + inet_block.size() + authority.size());
  const std::string zero_block(12, '\0');
  const std::string bare_ssl = tlv(0x20, octets({0, 0, 0, 0, 1}));
  const std::string full_ssl =
      tlv(0x20, octets({7, 0, 0, 0, 0}) + tlv(0x21, "TLSv1.3") + tlv(0x22, "") + tlv(0x7f, "x"));
  const std::string local_checked = with_right_crc32c(v2_header(0x20, 0x11, zero_block + tlv(3, "abcd")), 16 + 12);
  using enum Family;
  constexpr auto stream = Transport::stream, datagram = Transport::datagram;
  const auto U = Family::unspecified;
  const auto T = Transport::unspecified;
  return {
      {"TCP over IPv4", v2_header(0x21, 0x11, inet_block), Command::proxy, inet, stream, "198.51.100.79:52110",
       "203.0.113.140:80"},
      {"UDP over IPv4", v2_header(0x21, 0x12, inet_block), Command::proxy, inet, datagram, "198.51.100.79:52110",
       "203.0.113.140:80"},
      {"TCP over IPv6", v2_header(0x21, 0x21, inet6_block), Command::proxy, inet6, stream, "[2001:db8::1]:4124",
       "[2001:db8::2]:443"},
      {"UDP over IPv6", v2_header(0x21, 0x22, inet6_block), Command::proxy, inet6, datagram, "[2001:db8::1]:4124",
       "[2001:db8::2]:443"},
      {"IPv6 with mapped addresses", v2_header(0x21, 0x21, mapped_block), Command::proxy, inet, stream, "192.0.2.1:1",
       "192.0.2.2:2"},
      {"UNIX stream", v2_header(0x21, 0x31, unix_block("/run/a", "/run/b")), Command::proxy, unix, stream, "", "",
       "/run/a", "/run/b"},
      {"UNIX datagram", v2_header(0x21, 0x32, unix_block("/run/a", "")), Command::proxy, unix, datagram, "", "",
       "/run/a", ""},
      {"UNIX path without room for a NUL", v2_header(0x21, 0x31, unix_block(std::string(108, 'a'), "/b")),
       Command::proxy, unix, stream, "", "", std::string(108, 'a'), "/b"},
      {"UNIX path with octets behind its NUL", v2_header(0x21, 0x31, unix_block(std::string("/a\0/x", 5), "/b")),
       Command::proxy, unix, stream, "", "", "/a", "/b"},
      {"UNIX abstract name", v2_header(0x21, 0x31, unix_block(std::string("\0name", 5), "/b")), Command::proxy, unix,
       stream, "", "", std::string("\0name", 5), "/b"},
      {"UNIX with a TLV", v2_header(0x21, 0x31, unix_block("/a", "/b") + authority), Command::proxy, unix, stream, "",
       "", "/a", "/b", authority},
      {"one TLV", v2_header(0x21, 0x11, inet_block + authority), Command::proxy, inet, stream, "198.51.100.79:52110",
       "203.0.113.140:80", "", "", authority},
      {"empty TLV", v2_header(0x21, 0x11, inet_block + tlv(4, "")), Command::proxy, inet, stream, "198.51.100.79:52110",
       "203.0.113.140:80", "", "", tlv(4, "")},
      {"unassigned TLV type", v2_header(0x21, 0x11, inet_block + tlv(0xea, "\x01vpce-1")), Command::proxy, inet, stream,
       "198.51.100.79:52110", "203.0.113.140:80", "", "", tlv(0xea, "\x01vpce-1")},
      {"SSL TLV without sub-TLVs", v2_header(0x21, 0x11, inet_block + bare_ssl), Command::proxy, inet, stream,
       "198.51.100.79:52110", "203.0.113.140:80", "", "", bare_ssl},
      {"SSL TLV with sub-TLVs, empty and unassigned ones too", v2_header(0x21, 0x11, inet_block + full_ssl + authority),
       Command::proxy, inet, stream, "198.51.100.79:52110", "203.0.113.140:80", "", "", full_ssl + authority},
      {"LOCAL with a broken SSL TLV: no TLVs", v2_header(0x20, 0x00, tlv(0x20, octets({1, 0, 0, 0}))), Command::local,
       U, T},
      {"unique ID of 128 octets", v2_header(0x21, 0x11, inet_block + tlv(5, std::string(128, 'u'))), Command::proxy,
       inet, stream, "198.51.100.79:52110", "203.0.113.140:80", "", "", tlv(5, std::string(128, 'u'))},
      {"right checksum", checked, Command::proxy, inet, stream, "198.51.100.79:52110", "203.0.113.140:80", "", "",
       checked.substr(28)},
      {"LOCAL, nothing else", v2_header(0x20, 0x00, ""), Command::local, U, T},
      {"LOCAL, TCP4 and no block", v2_header(0x20, 0x11, ""), Command::local, U, T},
      {"LOCAL with an address block", v2_header(0x20, 0x11, inet_block), Command::local, U, T},
      {"LOCAL with a block shorter than the family's", v2_header(0x20, 0x21, inet_block), Command::local, U, T},
      {"LOCAL, unassigned family and transport", v2_header(0x20, 0xff, "xyz"), Command::local, U, T},
      {"LOCAL with an address block, then TLVs", v2_header(0x20, 0x11, inet_block + authority), Command::local, U, T,
       "", "", "", "", authority},
      {"LOCAL, zero block, right checksum", local_checked, Command::local, U, T, "", "", "", "",
       local_checked.substr(16)},
      {"LOCAL from an AWS health probe", aws_probe, Command::local, U, T, "", "", "", "", aws_probe.substr(16)},
      {"UNSPEC, nothing else", v2_header(0x21, 0x00, ""), Command::proxy, U, T},
      {"UNSPEC with TLVs", v2_header(0x21, 0x00, authority), Command::proxy, U, T, "", "", "", "", authority},
      {"UNSPEC with address information to ignore", v2_header(0x21, 0x00, inet_block), Command::proxy, U, T},
      {"UNSPEC family over STREAM", v2_header(0x21, 0x01, ""), Command::proxy, U, T},
      {"INET over UNSPEC: addresses ignored", v2_header(0x21, 0x10, inet_block + authority), Command::proxy, U, T, "",
       "", "", "", authority},
  };
}

TEST(ProxyV2, ReadsWhatTheOctetsSay) {
  const std::string payloads[] = {"",
                                  "GET / HTTP/1.1\r\n\r\n",
                                  tlv(2, "not.a.tlv"),
                                  octets({4, 0xff}),
                                  v2_header(0x21, 0x11, inet_block),
                                  "PROXY UNKNOWN\r\n"};
  for (const auto& c : accepted_cases()) {
    for (const std::string& payload : payloads) {
      SCOPED_TRACE(std::string(c.description) + " before '" + payload + "'");
      const Seen seen = parse_every_way(c.input + payload);
      EXPECT_EQ(seen.status, Status::complete) << seen;
      EXPECT_EQ(seen.error, boost::system::error_code());
      EXPECT_EQ(seen.consumed, c.input.size());
      EXPECT_EQ(seen.payload, payload);
      EXPECT_EQ(seen.header.version, Version::v2);
      EXPECT_EQ(seen.header.command, c.command);
      EXPECT_EQ(seen.header.family, c.family);
      EXPECT_EQ(seen.header.transport, c.transport);
      EXPECT_EQ(seen.header.source ? seen.header.source->to_string() : "", c.source);
      EXPECT_EQ(seen.header.destination ? seen.header.destination->to_string() : "", c.destination);
      EXPECT_EQ(seen.header.source_path, c.source_path);
      EXPECT_EQ(seen.header.destination_path, c.destination_path);
      EXPECT_EQ(seen.header.tlvs, c.tlvs);
    }
  }
}

TEST(ProxyV2, AcceptsTheAwsProbeWithItsChecksum) {
  EXPECT_EQ(aws_probe.size(), 100u);
  EXPECT_EQ(aws_probe.substr(12, 4), octets({0x20, 0x11, 0x00, 0x54}));
  const Seen seen = parse_every_way(aws_probe);
  EXPECT_EQ(seen.status, Status::complete);
  EXPECT_EQ(TlvRange(seen.header.tlvs).find(TlvType::crc32c), octets({0xbc, 0xe5, 0x95, 0x1f}));
  EXPECT_EQ(TlvRange(seen.header.tlvs).find(TlvType::noop)->size(), 0x4au);
}

TEST(ProxyV2, RefusesEveryOctetFlippedUnderAChecksum) {
  const std::size_t checksum_at = 16 + 36 + 19;
  const std::string tlvs = tlv(2, "shop.example.com") + tlv(3, "abcd") + tlv(5, "0123456789");
  const std::string good = with_right_crc32c(v2_header(0x21, 0x21, inet6_block + tlvs), checksum_at);
  ASSERT_EQ(parse_every_way(good).status, Status::complete);
  for (std::size_t i = 0; i < good.size(); ++i) {
    if (i == checksum_at) continue;  // another type there is a header without a checksum
    SCOPED_TRACE(i);
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    const Seen seen = feed_pieces({bad}, Parser::default_max_v2_length);
    EXPECT_NE(seen.status, Status::complete);
    const bool in_addresses = i >= 16 && i < 16 + 36;
    EXPECT_TRUE(!in_addresses || seen.error == make_error_code(Error::v2_bad_crc32c)) << seen;
  }
}

TEST(ProxyV2, RefusesAWrongChecksumInLocalToo) {
  std::string bad = aws_probe;
  bad.back() = 1;
  EXPECT_EQ(parse_every_way(bad).error, make_error_code(Error::v2_bad_crc32c));
  std::string behind_block = with_right_crc32c(v2_header(0x20, 0x11, inet_block + tlv(3, "abcd")), 16 + 12);
  EXPECT_EQ(parse_every_way(behind_block).status, Status::complete);
  behind_block[20] = 99;
  EXPECT_EQ(parse_every_way(behind_block).error, make_error_code(Error::v2_bad_crc32c));
}

TEST(ProxyV2, RefusesWhatTheSpecRefuses) {
  const std::string checksum = with_right_crc32c(v2_header(0x21, 0x11, inet_block + tlv(3, "abcd")), 28);
  const std::string authority = tlv(2, "shop.example.com");
  struct {
    const char* description;
    std::string input;
    Error error;
  } const cases[] = {
      {"version 0", v2_header(0x01, 0x11, inet_block), Error::v2_bad_version},
      {"version 1", v2_header(0x11, 0x11, inet_block), Error::v2_bad_version},
      {"version 3", v2_header(0x31, 0x11, inet_block), Error::v2_bad_version},
      {"command 2", v2_header(0x22, 0x11, inet_block), Error::v2_bad_command},
      {"command 15", v2_header(0x2f, 0x11, inet_block), Error::v2_bad_command},
      {"bad version and bad command", v2_header(0x3f, 0x11, inet_block), Error::v2_bad_version},
      {"family 4", v2_header(0x21, 0x41, inet_block), Error::v2_bad_family},
      {"family 15", v2_header(0x21, 0xf1, inet_block), Error::v2_bad_family},
      {"transport 3", v2_header(0x21, 0x13, inet_block), Error::v2_bad_family},
      {"transport 15", v2_header(0x21, 0x1f, inet_block), Error::v2_bad_family},
      {"TLV runs past the end", v2_header(0x21, 0x11, inet_block + octets({2, 0, 5}) + "abcd"), Error::v2_bad_tlv},
      {"TLV of 65,535 octets", v2_header(0x21, 0x11, inet_block + octets({2, 255, 255}) + "abcd"), Error::v2_bad_tlv},
      {"one octet of a TLV", v2_header(0x21, 0x11, inet_block + octets({2})), Error::v2_bad_tlv},
      {"two octets of a TLV", v2_header(0x21, 0x11, inet_block + octets({2, 0})), Error::v2_bad_tlv},
      {"two octets after a good TLV", v2_header(0x21, 0x11, inet_block + tlv(2, "a") + octets({2, 0})),
       Error::v2_bad_tlv},
      {"checksum of 3 octets", v2_header(0x21, 0x11, inet_block + tlv(3, "abc")), Error::v2_bad_tlv},
      {"checksum of 5 octets", v2_header(0x21, 0x11, inet_block + tlv(3, "abcde")), Error::v2_bad_tlv},
      {"empty checksum", v2_header(0x21, 0x11, inet_block + tlv(3, "")), Error::v2_bad_tlv},
      {"two checksums", v2_header(0x21, 0x11, inet_block + tlv(3, "abcd") + tlv(3, "abcd")), Error::v2_bad_tlv},
      {"unique ID of 129 octets", v2_header(0x21, 0x11, inet_block + tlv(5, std::string(129, 'u'))), Error::v2_bad_tlv},
      {"empty SSL TLV", v2_header(0x21, 0x11, inet_block + tlv(0x20, "")), Error::v2_bad_tlv},
      {"SSL TLV of 4 octets", v2_header(0x21, 0x11, inet_block + tlv(0x20, octets({1, 0, 0, 0}))), Error::v2_bad_tlv},
      {"SSL sub-TLV that runs past its SSL TLV",
       v2_header(0x21, 0x11, inet_block + tlv(0x20, octets({1, 0, 0, 0, 0, 0x21, 0, 8}) + "TLSv1.3") + authority),
       Error::v2_bad_tlv},
      {"two octets behind an SSL sub-TLV",
       v2_header(0x21, 0x11,
                 inet_block + tlv(0x20, octets({1, 0, 0, 0, 0}) + tlv(0x21, "TLSv1.3") + octets({0x22, 0}))),
       Error::v2_bad_tlv},
      {"bad SSL TLV under a right checksum",
       with_right_crc32c(v2_header(0x21, 0x11, inet_block + tlv(3, "abcd") + tlv(0x20, octets({1, 0, 0, 0}))), 28),
       Error::v2_bad_tlv},
      {"wrong checksum", v2_header(0x21, 0x11, inet_block + tlv(3, "abcd")), Error::v2_bad_crc32c},
      {"checksum of zeros", v2_header(0x21, 0x11, inet_block + tlv(3, std::string(4, '\0'))), Error::v2_bad_crc32c},
      {"checksum in the other byte order",
       v2_header(0x21, 0x11, inet_block + tlv(3, std::string(checksum.rbegin(), checksum.rbegin() + 4))),
       Error::v2_bad_crc32c},
  };
  for (const auto& c : cases) {
    for (const char* payload : {"", "0123456789012345678901234567890123456789"}) {
      SCOPED_TRACE(std::string(c.description) + " before '" + payload + "'");
      const Seen seen = parse_every_way(c.input + payload);
      EXPECT_EQ(seen.status, Status::failed) << seen;
      EXPECT_EQ(seen.error, make_error_code(c.error)) << seen;
      EXPECT_EQ(seen.header, Header{});
    }
  }
}

TEST(ProxyV2, RejectsLengthBelowFamilyMinimum) {
  struct {
    int family_transport;
    std::size_t minimum;
  } const cases[] = {{0x10, 12}, {0x11, 12}, {0x12, 12}, {0x21, 36}, {0x22, 36}, {0x31, 216}, {0x32, 216}};
  for (const auto& c : cases) {
    for (std::size_t length = 0; length <= c.minimum; ++length) {
      SCOPED_TRACE("family " + std::to_string(c.family_transport) + " length " + std::to_string(length));
      const std::string header = v2_header(0x21, c.family_transport, std::string(length, '\1'));
      // Enough octets follow: they are payload, and must not be taken for the rest of the block.
      const Seen seen = feed_pieces({header + std::string(300, '\2')}, Parser::default_max_v2_length);
      if (length == c.minimum) {
        EXPECT_EQ(seen.status, Status::complete);
        EXPECT_EQ(seen.consumed, header.size());
      } else {
        EXPECT_EQ(seen.error, make_error_code(Error::v2_length_too_short));
      }
    }
    parse_every_way(v2_header(0x21, c.family_transport, std::string(c.minimum - 1, '\1')) + "payload");
  }
}

TEST(ProxyV2, RejectsLengthAboveTheCapBeforeItIsBuffered) {
  const std::string fixed = v2_signature + octets({0x21, 0x11});
  EXPECT_EQ(parse_every_way(fixed + octets({0x10, 0x01})).error, make_error_code(Error::v2_length_too_long));
  EXPECT_EQ(parse_every_way(fixed + octets({0xff, 0xff})).error, make_error_code(Error::v2_length_too_long));
  EXPECT_EQ(parse_every_way(v2_signature + octets({0x20, 0, 0xff, 0xff})).error,
            make_error_code(Error::v2_length_too_long));
  EXPECT_EQ(parse_every_way(fixed + octets({0x10, 0x00})).status, Status::need_more);

  const std::string body = inet_block + tlv(4, std::string(37, 'n'));
  EXPECT_EQ(parse_every_way(v2_header(0x21, 0x11, body), body.size()).status, Status::complete);
  EXPECT_EQ(parse_every_way(v2_header(0x21, 0x11, body), body.size() - 1).error,
            make_error_code(Error::v2_length_too_long));
}

TEST(ProxyV2, AcceptsALengthOfExactlyTheDefaultCap) {
  const std::string header = v2_header(0x21, 0x11, inet_block + tlv(4, std::string(4096 - 12 - 3, 'n')));
  const Seen seen = parse_every_way(header + "payload");
  EXPECT_EQ(seen.status, Status::complete);
  EXPECT_EQ(seen.payload, "payload");
}

TEST(ProxyV2, WaitsForTheWholeHeader) {
  for (std::size_t size = 0; size < aws_probe.size(); ++size) {
    SCOPED_TRACE(size);
    EXPECT_EQ(parse_every_way(std::string_view(aws_probe).substr(0, size)).status, Status::need_more);
  }
}

TEST(ProxyV2, FailsAtTheFirstOctetThatIsWrong) {
  Parser parser;
  EXPECT_EQ(parser.feed(v2_signature).status, Status::need_more);
  EXPECT_EQ(parser.feed("\x11").status, Status::failed);
  parser.reset();
  EXPECT_EQ(parser.error(), boost::system::error_code());
  EXPECT_EQ(parser.feed(v2_signature + "\x21").status, Status::need_more);
  EXPECT_EQ(parser.feed("\x41").status, Status::failed);
  EXPECT_EQ(parser.error(), Error::v2_bad_family);
}

}  // namespace
}  // namespace telltale::proxy_protocol
