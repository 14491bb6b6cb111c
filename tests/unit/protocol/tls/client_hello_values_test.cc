#include "protocol/tls/client_hello.h"
#include "tests/unit/protocol/tls/captured_hellos.h"
#include "tests/unit/protocol/tls/hello_harness.h"

#include <gtest/gtest.h>

#include <string>

namespace telltale::tls {
namespace {

using Status = ClientHelloPeek::Status;
using namespace std::string_literals;

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  while (times-- > 0) out += text;
  return out;
}

TEST(ClientHelloServerName, IsAHostNameInLowerCase) {
  const std::string label63(63, 'a');
  const std::string longest = repeated(label63 + ".", 3) + std::string(61, 'b');
  ASSERT_EQ(longest.size(), 253u);
  const struct {
    const char* description;
    std::string name;
    std::string read;  ///< empty: refused
  } cases[] = {
      {"letters of both cases", "WWW.Example.COM", "www.example.com"},
      {"one label", "localhost", "localhost"},
      {"an A-label", "xn--bcher-kva.example", "xn--bcher-kva.example"},
      {"digits and hyphens", "r3---sn-4g5e6nl.a-1.example", "r3---sn-4g5e6nl.a-1.example"},
      {"an underscore", "my_service.default.svc", "my_service.default.svc"},
      {"numbers in front", "1.2.3.4.in-addr.arpa", "1.2.3.4.in-addr.arpa"},
      {"hexadecimal digits without 0x", "a.beef", "a.beef"},
      {"a label that begins like a number", "example.4ever", "example.4ever"},
      {"a last label that begins like a hexadecimal one", "example.0xyz", "example.0xyz"},
      {"labels and a name as long as may be", longest, longest},
      {"a name of 254", longest + "b", ""},
      {"a label of 64", label63 + "a.example", ""},
      {"a last label of 64", "example." + label63 + "a", ""},
      {"a dot at the end", "www.example.com.", ""},
      {"a dot alone", ".", ""},
      {"a dot in front", ".example.com", ""},
      {"two dots", "www..example.com", ""},
      {"an IPv4 address", "192.0.2.1", ""},
      {"an IPv4 address as old resolvers read it", "127.1", ""},
      {"an IPv4 address as a number", "2130706433", ""},
      {"an IPv4 address in hexadecimal", "0x7F000001", ""},
      {"an IPv4 address whose last octet is hexadecimal", "127.0.0.0x1", ""},
      {"0x alone, which is 0 to some", "127.0.0.0x", ""},
      {"an IPv6 address", "2001:db8::1", ""},
      {"an IPv6 address in brackets", "[2001:db8::1]", ""},
      {"a port", "www.example.com:443", ""},
      {"NUL inside", "www.example.com\0.evil.example"s, ""},
      {"NUL at the end", "www.example.com\0"s, ""},
      {"NUL in front", "\0www.example.com"s, ""},
      {"a space", "www.example.com ", ""},
      {"CRLF", "www.example.com\r\nX: y", ""},
      {"a comma", "a.example,b.example", ""},
      {"a wildcard", "*.example.com", ""},
      {"a slash", "a/b.example", ""},
      {"a percent sign", "a%2eexample", ""},
      {"UTF-8",
       "b\xc3\xbc"
       "cher.example",
       ""},
      {"DEL", "a\x7f.example", ""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    const Seen seen = scan_every_way(hello_with(server_name_extension(c.name)));
    EXPECT_EQ(seen.server_name, c.read);
    EXPECT_EQ(seen.status, c.read.empty() ? Status::malformed : Status::done) << seen;
    EXPECT_EQ(seen.error,
              c.read.empty() ? boost::system::error_code(Error::bad_host_name) : boost::system::error_code());
  }
}

TEST(ClientHelloServerName, IsFoundAmongNamesOfOtherTypes) {
  const std::string name = name_entry(0, "a.example");
  const struct {
    const char* description;
    std::string list;
    std::string read;
  } cases[] = {
      {"behind one", name_entry(1, "\0\xff\x01"s) + name, "a.example"},
      {"before an empty one", name + name_entry(255, ""), "a.example"},
      {"not there", name_entry(1, "b.example"), ""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    const Seen seen = scan_every_way(hello_with(extension(0, vector16(c.list))));
    EXPECT_EQ(seen.status, Status::done) << seen;
    EXPECT_EQ(seen.server_name, c.read);
  }
}

TEST(ClientHelloAlpn, KeepsTheOrderAndAnyOctets) {
  const std::string longest(255, 'p');
  const struct {
    const char* description;
    std::string list;
    std::vector<std::string> read;
  } cases[] = {
      {"one", "\2h2", {"h2"}},
      {"their order", vector8("http/1.1") + vector8("h2") + vector8("http/1.0"), {"http/1.1", "h2", "http/1.0"}},
      {"one twice", "\2h2\2h2", {"h2", "h2"}},
      {"GREASE and NUL", "\2\x0a\x0a\3a\0b"s, {"\x0a\x0a", "a\0b"s}},
      {"the longest name", vector8(longest) + vector8("x"), {longest, "x"}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    const Seen seen = scan_every_way(hello_with(alpn_extension(c.list)));
    EXPECT_EQ(seen.status, Status::done) << seen;
    EXPECT_EQ(seen.alpn, c.read);
  }
}

TEST(ClientHelloAlpn, FindsANameAsAWhole) {
  const auto protocols = AlpnProtocols::parse("\2h2\x08http/1.1");
  ASSERT_TRUE(protocols);
  EXPECT_FALSE(protocols->empty());
  for (const char* const name : {"h2", "http/1.1"}) EXPECT_TRUE(protocols->contains(name)) << name;
  for (const char* const name : {"", "h", "h2c", "http/1", "2"}) EXPECT_FALSE(protocols->contains(name)) << name;
  EXPECT_TRUE(AlpnProtocols().empty());
  EXPECT_FALSE(AlpnProtocols().contains("h2"));
}

TEST(ClientHelloVersion, IsTheHighestOfTls) {
  const struct {
    const char* description;
    std::size_t legacy;
    std::string extensions;
    std::uint16_t highest;
  } cases[] = {
      {"TLS 1.0 without the extension", 0x0301, "", 0x0301},
      {"TLS 1.1 without the extension", 0x0302, "", 0x0302},
      {"TLS 1.2 without the extension", 0x0303, "", 0x0303},
      {"TLS 1.3 as legacy_version counts as 1.2", 0x0304, "", 0x0303},
      {"TLS 1.3 first", 0x0303, versions_extension("\3\4\3\3"), 0x0304},
      {"TLS 1.3 last", 0x0303, versions_extension("\3\3\3\4"), 0x0304},
      {"TLS 1.2 alone in the extension", 0x0303, versions_extension("\3\3"), 0x0303},
      {"lower than legacy_version", 0x0303, versions_extension("\3\1"), 0x0301},
      {"GREASE around it", 0x0303, versions_extension("\xfa\xfa\3\4\x0a\x0a"), 0x0304},
      {"a draft beside it", 0x0303, versions_extension("\x7f\x1c\3\3"), 0x0303},
      {"nothing of TLS", 0x0303, versions_extension("\x2a\x2a\3\0"s), 0},
      {"as many as there can be", 0x0303, versions_extension(repeated("\3\1", 126) + "\3\4"), 0x0304},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    const Seen seen = scan_every_way(record(message(body({.version = c.legacy, .extensions = c.extensions}))));
    EXPECT_EQ(seen.status, Status::done) << seen;
    EXPECT_EQ(seen.legacy_version, c.legacy);
    EXPECT_EQ(seen.highest_version, c.highest);
  }
}

TEST(ClientHelloExtensions, AreSteppedOverWhenUnknownAndMayBeAbsent) {
  // As Chrome sends them: GREASE around, ECH, a hybrid key share of X25519MLKEM768 (1216 octets) beside X25519's.
  const std::string key_shares = u16(0x2a2a) + vector16("\0"s) + u16(0x11ec) + vector16(std::string(1216, 'k')) +
                                 u16(0x001d) + vector16(std::string(32, 'x'));
  const std::string post_quantum =
      extension(0x2a2a, "") + server_name_extension("Shop.example.com") + extension(51, vector16(key_shares)) +
      alpn_extension("\2h2") + versions_extension("\x3a\x3a\3\4\3\3") + extension(35, "") +
      extension(0xfe0d, std::string(250, 'e')) + extension(0x4469, "\0\3\2h2"s) + extension(0xdada, "\0"s);
  std::string thousands = server_name_extension("shop.example.com");
  for (std::size_t type = 0x8000; type < 0x8000 + 4000; ++type) thousands += extension(type, "");
  const struct {
    const char* description;
    std::string octets;
    std::string server_name;
  } cases[] = {
      {"no extensions", record(message(body({.extensions = std::nullopt}))), ""},
      {"an empty list of extensions", hello_with(""), ""},
      {"no session id", record(message(body({.session_id = ""}))), ""},
      {"post-quantum", hello_with(post_quantum), "shop.example.com"},
      {"post-quantum in two records", records(message(body({.extensions = post_quantum})), 1200), "shop.example.com"},
      {"every type of GREASE", hello_with(extension(0x0a0a, "") + extension(0x1a1a, "") + extension(0xfafa, "x")), ""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    const Seen seen = scan_every_way(c.octets);
    EXPECT_EQ(seen.status, Status::done) << seen;
    EXPECT_EQ(seen.server_name, c.server_name);
    EXPECT_FALSE(seen.session_ticket || seen.pre_shared_key || seen.early_data);
  }
  ClientHelloPeek peek;
  EXPECT_EQ(scan_once(peek, hello_with(thousands)).server_name, "shop.example.com");
  peek.reset();
  EXPECT_EQ(scan_once(peek, hello_with(thousands + extension(0x8000, ""))).error, Error::duplicate_extension);
}

TEST(ClientHelloLimits, BoundTheMessageAndAllThatMustBeKept) {
  const std::size_t empty = message(body({})).size();
  // A hello whose message has `size` octets.
  const auto sized = [empty](std::size_t size) {
    return message(body({.extensions = extension(21, std::string(size - empty - 4, '\0'))}));
  };
  const Seen too_long{.status = Status::too_large, .error = Error::message_too_long};
  const Seen too_many{.status = Status::too_large, .error = Error::too_many_octets};
  const struct {
    const char* description;
    std::string octets;
    ClientHelloLimits limits;
    Seen seen;
  } cases[] = {
      {"as long as may be", record(sized(500)), {500, 505}, {Status::done, 505}},
      {"a message one octet longer", record(sized(501)), {500, 1000}, too_long},
      {"the head says so", "\x16\3\1\1\0\1\0\1\xf1"s, {500, 1000}, too_long},
      {"16 MB announced", "\x16\3\1\1\0\1\xff\xff\xff"s, {500, 1000}, too_long},
      {"16 MB announced, a record for each octet", records("\1\xff\xff\xff", 1), {500, 1000}, too_long},
      {"a record that would end one octet behind the limit", record(sized(500)).substr(0, 5), {500, 504}, too_many},
      {"records as many as may be", records(sized(500), 50), {500, 550}, {Status::done, 550}},
      {"their heads are too many", records(sized(500), 49), {500, 550}, too_many},
      {"a record for each octet", records(sized(500), 1), {500, 1000}, too_many},
      {"no room for the next head", records(sized(500), 50), {500, 59}, too_many},
      {"room for one head alone", record(sized(500)), {500, 5}, too_many},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    Seen seen = scan_every_way(c.octets, c.limits);
    seen.legacy_version = seen.highest_version = 0;
    EXPECT_EQ(seen, c.seen);
  }
}

TEST(ClientHelloLimits, DefaultTo16KiBOfMessage) {
  const std::size_t empty = message(body({})).size();
  for (const std::size_t size : {16384u, 16385u}) {
    const std::string whole = message(body({.extensions = extension(21, std::string(size - empty - 4, '\0'))}));
    ASSERT_EQ(whole.size(), size);
    const Status expected = size == 16384 ? Status::done : Status::too_large;
    for (const std::string& octets : {records(whole, 1200), records(whole, 16384)}) {
      EXPECT_EQ(scan_in_steps(octets, octets.size(), {}).status, expected);
      EXPECT_EQ(scan_in_steps(octets, 1448, {}).status, expected);
    }
  }
}

TEST(ClientHelloPeek, SaysHowManyOctetsItWaitsFor) {
  const std::string octets = captured::octets(captured::curl_http2);
  const std::string two = record(octets.substr(5, 100)) + record(octets.substr(105));
  const struct {
    const char* description;
    std::string shown;
    std::size_t size;
  } cases[] = {
      {"nothing yet", "", 5},
      {"part of a head", octets.substr(0, 4), 5},
      {"a head", octets.substr(0, 5), 517},
      {"all but one", octets.substr(0, 516), 517},
      {"part of the first record", two.substr(0, 50), 105},
      {"the first record", two.substr(0, 105), 110},
      {"the second head", two.substr(0, 110), 522},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    ClientHelloPeek peek;
    EXPECT_EQ(scan_once(peek, c.shown), (Seen{.status = Status::need_more, .size = c.size}));
  }
}

TEST(ClientHelloPeek, ReadsHelloAfterHelloWhenReset) {
  ClientHelloPeek peek;
  const std::string full = captured::octets(captured::openssl_early_data);
  const std::string in_records = records(std::string_view(full).substr(5), 100);
  const Seen first = scan_once(peek, in_records);
  EXPECT_TRUE(first.early_data && first.pre_shared_key && !first.server_name.empty()) << first;
  peek.reset();
  EXPECT_EQ(scan_once(peek, hello_with(extension(42, "x"))).error, Error::bad_length);
  peek.reset();
  EXPECT_EQ(scan_once(peek, in_records.substr(0, 200)).status, Status::need_more);
  peek.reset();
  const std::string plain = record(message(body({.version = 0x0302})));
  EXPECT_EQ(scan_once(peek, plain),
            (Seen{.status = Status::done, .size = plain.size(), .legacy_version = 0x0302, .highest_version = 0x0302}));
  peek.reset();
  EXPECT_EQ(scan_once(peek, "GET /").status, Status::not_tls);
  peek.reset();
  EXPECT_EQ(scan_once(peek, in_records), first);
}

}  // namespace
}  // namespace telltale::tls
