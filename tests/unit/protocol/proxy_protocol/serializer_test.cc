#include "protocol/proxy_protocol/serializer.h"

#include "tests/unit/protocol/proxy_protocol/parser_harness.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace telltale::proxy_protocol {
namespace {

using Status = Parser::Status;

Header proxy(Version version, const char* source, const char* destination) {
  Header header;
  header.version = version;
  header.command = Command::proxy;
  header.transport = Transport::stream;
  if (*source) header.source = ip_port(source);
  if (*destination) header.destination = ip_port(destination);
  if (header.source && header.destination) {
    const bool v4 = header.source->address.is_v4() && header.destination->address.is_v4();
    header.family = v4 ? Family::inet : Family::inet6;
  }
  return header;
}

Header local(Version version) {
  Header header;
  header.version = version;
  return header;
}

Header unix_header(std::string source, std::string destination) {
  Header header = proxy(Version::v2, "", "");
  header.family = Family::unix;
  header.source_path = std::move(source);
  header.destination_path = std::move(destination);
  return header;
}

std::string serialized(const Header& header, bool with_crc32c = false) {
  std::string out = "before";
  EXPECT_TRUE(serialize(header, out, with_crc32c));
  EXPECT_EQ(out.substr(0, 6), "before");
  return out.substr(6);
}

TEST(ProxySerializer, WritesV1Lines) {
  struct {
    const char* description;
    Header header;
    std::string line;
  } cases[] = {
      {"TCP4", proxy(Version::v1, "192.168.0.1:56324", "192.168.0.11:443"),
       "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"},
      {"TCP6", proxy(Version::v1, "[2001:db8::1]:1", "[2001:db8::2]:65535"),
       "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"},
      {"mixed, IPv4 source", proxy(Version::v1, "192.0.2.1:1", "[2001:db8::2]:2"),
       "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n"},
      {"mixed, IPv6 source", proxy(Version::v1, "[2001:db8::1]:1", "192.0.2.2:2"),
       "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.2 1 2\r\n"},
      {"no destination", proxy(Version::v1, "192.0.2.1:1", ""), "PROXY TCP4 192.0.2.1 0.0.0.0 1 0\r\n"},
      {"no destination, IPv6", proxy(Version::v1, "[2001:db8::1]:1", ""), "PROXY TCP6 2001:db8::1 :: 1 0\r\n"},
      {"no source", proxy(Version::v1, "", "192.0.2.1:1"), "PROXY UNKNOWN\r\n"},
      {"LOCAL", local(Version::v1), "PROXY UNKNOWN\r\n"},
      {"LOCAL with addresses left in", proxy(Version::v1, "192.0.2.1:1", "192.0.2.2:2"), "PROXY UNKNOWN\r\n"},
      {"UNIX", unix_header("/a", "/b"), "PROXY UNKNOWN\r\n"},
      {"datagram", proxy(Version::v1, "192.0.2.1:1", "192.0.2.2:2"), "PROXY UNKNOWN\r\n"},
      {"TLVs ignored", proxy(Version::v1, "192.0.2.1:1", "192.0.2.2:2"), "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"},
  };
  cases[8].header.command = Command::local;
  cases[9].header.version = Version::v1;
  cases[10].header.transport = Transport::datagram;
  cases[11].header.tlvs = "not even well formed";
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    EXPECT_EQ(serialized(c.header), c.line);
    EXPECT_EQ(serialized(c.header, true), c.line);
    EXPECT_EQ(parse_every_way(c.line).status, Status::complete);
  }
}

TEST(ProxySerializer, WritesV2Octets) {
  const std::string v4 = octets({192, 0, 2, 1, 192, 0, 2, 2, 0, 1, 0xff, 0xff});
  const std::string mapped = std::string(10, '\0') + "\xff\xff";
  const std::string v6 = octets({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2});
  struct {
    const char* description;
    Header header;
    std::string expected;
  } cases[] = {
      {"TCP4", proxy(Version::v2, "192.0.2.1:1", "192.0.2.2:65535"), v2_header(0x21, 0x11, v4)},
      {"TCP6", proxy(Version::v2, "[2001:db8::2]:1", "[2001:db8::2]:2"),
       v2_header(0x21, 0x21, v6 + v6 + octets({0, 1, 0, 2}))},
      {"mixed", proxy(Version::v2, "192.0.2.1:1", "[2001:db8::2]:2"),
       v2_header(0x21, 0x21, mapped + octets({192, 0, 2, 1}) + v6 + octets({0, 1, 0, 2}))},
      {"no destination", proxy(Version::v2, "192.0.2.1:1", ""),
       v2_header(0x21, 0x11, octets({192, 0, 2, 1, 0, 0, 0, 0, 0, 1, 0, 0}))},
      {"no source", proxy(Version::v2, "", "192.0.2.1:1"), v2_header(0x21, 0x00, "")},
      {"LOCAL", local(Version::v2), v2_header(0x20, 0x00, "")},
      {"LOCAL with addresses left in", proxy(Version::v2, "192.0.2.1:1", "192.0.2.2:2"), v2_header(0x20, 0x00, "")},
      {"UNIX", unix_header("/a", "/b"),
       v2_header(0x21, 0x31, "/a" + std::string(106, '\0') + "/b" + std::string(106, '\0'))},
      {"datagram", proxy(Version::v2, "192.0.2.1:1", "192.0.2.2:65535"), v2_header(0x21, 0x12, v4)},
      {"transport not said", proxy(Version::v2, "192.0.2.1:1", "192.0.2.2:65535"), v2_header(0x21, 0x11, v4)},
      {"TLVs", proxy(Version::v2, "192.0.2.1:1", "192.0.2.2:65535"), v2_header(0x21, 0x11, v4 + tlv(2, "a.example"))},
      {"stale checksum left out", proxy(Version::v2, "192.0.2.1:1", "192.0.2.2:65535"),
       v2_header(0x21, 0x11, v4 + tlv(2, "a.example") + tlv(4, ""))},
  };
  cases[6].header.command = Command::local;
  cases[8].header.transport = Transport::datagram;
  cases[9].header.transport = Transport::unspecified;
  cases[10].header.tlvs = tlv(2, "a.example");
  cases[11].header.tlvs = tlv(2, "a.example") + tlv(3, "abcd") + tlv(4, "");
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    EXPECT_EQ(serialized(c.header), c.expected);
    const std::string checked = serialized(c.header, true);
    EXPECT_EQ(checked.size(), c.expected.size() + 7);
    EXPECT_EQ(checked.substr(16, c.expected.size() - 16), c.expected.substr(16));
    const Seen seen = parse_every_way(checked);
    EXPECT_EQ(seen.status, Status::complete) << seen;
    EXPECT_TRUE(TlvRange(seen.header.tlvs).find(TlvType::crc32c));
  }
}

TEST(ProxySerializer, PutsTheChecksumLastAndOverTheWholeHeader) {
  Header header = local(Version::v2);
  ASSERT_TRUE(append_tlv(header.tlvs, TlvType::noop, std::string(0x4a, '\0')));
  const std::string out = serialized(header, true);
  EXPECT_EQ(out.substr(0, out.size() - 7), v2_header(0x20, 0, header.tlvs + tlv(3, "abcd")).substr(0, out.size() - 7));
  EXPECT_EQ(out, with_right_crc32c(out, out.size() - 7));
}

TEST(ProxySerializer, PadsTheWholeHeader) {
  for (std::size_t size = 0; size < 70; ++size) {
    Header header = proxy(Version::v2, "192.0.2.1:1", "192.0.2.2:2");
    header.tlvs = tlv(2, std::string(size, 'a'));
    const std::size_t unpadded = 16 + 12 + 3 + size;
    for (const std::size_t pad_to : {0u, 1u, 2u, 3u, 4u, 8u, 16u, 64u, 1000u}) {
      for (const bool with_crc32c : {false, true}) {
        SCOPED_TRACE(std::to_string(size) + " to " + std::to_string(pad_to) + (with_crc32c ? " with crc32c" : ""));
        std::string out = "before";
        ASSERT_TRUE(serialize(header, out, with_crc32c, pad_to));
        out.erase(0, 6);
        const Seen seen = feed_pieces({out}, Parser::default_max_v2_length);
        ASSERT_EQ(seen.status, Status::complete) << seen;
        const std::size_t bare = unpadded + (with_crc32c ? 7 : 0);
        const auto padding = TlvRange(seen.header.tlvs).find(TlvType::noop);
        if (pad_to == 0 || bare % pad_to == 0) {
          EXPECT_FALSE(padding);
          EXPECT_EQ(out.size(), bare);
        } else {
          ASSERT_TRUE(padding);
          EXPECT_EQ(out.size() % pad_to, 0u);
          EXPECT_LT(out.size(), bare + pad_to + 3) << "no more than it takes";
          EXPECT_EQ(*padding, std::string(padding->size(), '\0'));
        }
        if (with_crc32c) {
          EXPECT_EQ(out, with_right_crc32c(out, out.size() - 7)) << "last, and right";
        }
      }
    }
  }
  std::string out;
  EXPECT_TRUE(serialize(proxy(Version::v1, "192.0.2.1:1", "192.0.2.2:2"), out, false, 64));
  EXPECT_EQ(out, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n") << "v1 has no TLVs";
}

TEST(ProxySerializer, RoundTripsWhatTheParserGives) {
  std::vector<Header> headers;
  for (Version version : {Version::v1, Version::v2}) {
    headers.push_back(local(version));
    for (const char* source : {"0.0.0.0:0", "192.0.2.1:1", "[::]:0", "[2001:db8::1]:65535"})
      for (const char* destination : {"127.0.0.1:80", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:443"})
        headers.push_back(proxy(version, source, destination));
  }
  for (std::string path : {"", "/run/x", "\1"}) headers.push_back(unix_header(path, "/run/y"));
  headers.push_back(unix_header(std::string("\0abstract", 9), std::string(108, 'p')));
  headers.push_back(proxy(Version::v2, "192.0.2.1:1", "192.0.2.2:2"));
  headers.back().transport = Transport::datagram;
  headers.push_back(proxy(Version::v2, "192.0.2.1:1", "192.0.2.2:2"));
  headers.back().tlvs = tlv(1, "h2") + tlv(4, "") + tlv(0xe0, std::string(300, 'c'));
  for (const Header& header : headers) {
    const std::string wire = serialized(header);
    const Seen seen = parse_every_way(wire + "payload");
    EXPECT_EQ(seen.status, Status::complete) << seen;
    EXPECT_EQ(seen.header, header) << wire;
    EXPECT_EQ(seen.payload, "payload");
  }
}

TEST(ProxySerializer, RefusesWhatDoesNotFitAndAppendsNothing) {
  const auto refused = [](const Header& header, bool with_crc32c) {
    std::string out = "kept";
    const bool ok = serialize(header, out, with_crc32c);
    EXPECT_TRUE(ok || out == "kept");
    return !ok;
  };
  Header header = proxy(Version::v2, "192.0.2.1:1", "192.0.2.2:2");
  header.tlvs = tlv(4, std::string(65535 - 12 - 3, 'n'));
  EXPECT_FALSE(refused(header, false)) << "exactly 65,535 octets";
  EXPECT_TRUE(refused(header, true)) << "no room for the checksum";
  header.tlvs += 'x';
  EXPECT_TRUE(refused(header, false)) << "TLVs not well formed";
  header.tlvs = tlv(4, std::string(65535 - 12 - 2, 'n'));
  EXPECT_TRUE(refused(header, false)) << "one octet too many";
  EXPECT_TRUE(refused(unix_header(std::string(109, 'p'), "/b"), false)) << "source path";
  EXPECT_TRUE(refused(unix_header("/a", std::string(109, 'p')), false)) << "destination path";
}

TEST(AppendTlv, KeepsToTheLimitsOfItsType) {
  std::string section = "kept";
  EXPECT_FALSE(append_tlv(section, TlvType::authority, std::string(65536, 'a')));
  EXPECT_FALSE(append_tlv(section, TlvType::unique_id, std::string(129, 'u')));
  EXPECT_EQ(section, "kept");
  section.clear();
  EXPECT_TRUE(append_tlv(section, TlvType::unique_id, std::string(128, 'u')));
  EXPECT_TRUE(append_tlv(section, TlvType::authority, std::string(65535, 'a')));
  EXPECT_TRUE(TlvRange(section).well_formed());
  EXPECT_EQ(TlvRange(section).find(TlvType::authority)->size(), 65535u);
}

}  // namespace
}  // namespace telltale::proxy_protocol
