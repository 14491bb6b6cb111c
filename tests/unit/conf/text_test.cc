#include "conf/text.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

TEST(DurationText, ReadsWholeNumbersWithAUnit) {
  struct Case {
    const char* text;
    std::int64_t milliseconds;
    const char* written;
  };
  constexpr Case cases[] = {
      {"250ms", 250, "250ms"}, {"5s", 5000, "5s"},         {"10m", 600'000, "10m"}, {"3h", 10'800'000, "3h"},
      {"0s", 0, "0s"},         {"0ms", 0, "0s"},           {"1000ms", 1000, "1s"},  {"90s", 90'000, "90s"},
      {"60s", 60'000, "1m"},   {"1500ms", 1500, "1500ms"}, {"05s", 5000, "5s"},
  };
  for (const Case& c : cases) {
    const auto parsed = parse_duration(c.text);
    ASSERT_TRUE(parsed.value) << c.text;
    EXPECT_EQ(parsed.value->count(), c.milliseconds) << c.text;
    EXPECT_EQ(format_duration(*parsed.value), c.written) << c.text;
  }
}

TEST(DurationText, RefusesWithAHint) {
  struct Case {
    const char* text;
    const char* problem;
    const char* hint;
  };
  constexpr Case cases[] = {
      {"5", "has no unit", "write 5s for seconds, 5ms for milliseconds"},
      {"5 s", "is not a duration", "a whole number and a unit: 250ms, 5s, 10m or 3h"},
      {"5sec", "is not a duration", "a whole number and a unit: 250ms, 5s, 10m or 3h"},
      {"1.5s", "is not a duration", "a whole number and a unit: 250ms, 5s, 10m or 3h"},
      {"-5s", "is not a duration", "a whole number and a unit: 250ms, 5s, 10m or 3h"},
      {"+5s", "is not a duration", "a whole number and a unit: 250ms, 5s, 10m or 3h"},
      {"s", "is not a duration", "a whole number and a unit: 250ms, 5s, 10m or 3h"},
      {"", "is not a duration", "a whole number and a unit: 250ms, 5s, 10m or 3h"},
      {"99999999999999999999s", "is not a duration", "a whole number and a unit: 250ms, 5s, 10m or 3h"},
      {"9999999999999999h", "is too long a duration", ""},
  };
  for (const Case& c : cases) {
    const auto parsed = parse_duration(c.text);
    EXPECT_FALSE(parsed.value) << c.text;
    EXPECT_EQ(parsed.problem, c.problem) << c.text;
    EXPECT_EQ(parsed.hint, c.hint) << c.text;
  }
}

TEST(SizeText, ReadsBytesAndBinaryUnits) {
  struct Case {
    const char* text;
    std::uint64_t bytes;
    const char* written;
  };
  constexpr Case cases[] = {
      {"0", 0, "0"},
      {"1", 1, "1"},
      {"1000", 1000, "1000"},
      {"1024", 1024, "1KiB"},
      {"64KiB", 65536, "64KiB"},
      {"1MiB", 1 << 20, "1MiB"},
      {"10GiB", 10ull << 30, "10GiB"},
      {"1025", 1025, "1025"},
  };
  for (const Case& c : cases) {
    const auto parsed = parse_size(c.text);
    ASSERT_TRUE(parsed.value) << c.text;
    EXPECT_EQ(*parsed.value, c.bytes) << c.text;
    EXPECT_EQ(format_size(*parsed.value), c.written) << c.text;
  }
  struct Wrong {
    const char* text;
    const char* problem;
    const char* hint;
  };
  constexpr Wrong wrong[] = {
      {"64k", "is not a size", "write 64KiB"},
      {"64KB", "is not a size", "write 64KiB"},
      {"1mb", "is not a size", "write 1MiB"},
      {"2G", "is not a size", "write 2GiB"},
      {"99999999999GiB", "is too large a size", ""},
      {"lots", "is not a size", "a whole number of bytes, or with a unit: 64KiB, 1MiB or 10GiB"},
      {"-1", "is not a size", "a whole number of bytes, or with a unit: 64KiB, 1MiB or 10GiB"},
      {"", "is not a size", "a whole number of bytes, or with a unit: 64KiB, 1MiB or 10GiB"},
  };
  for (const Wrong& c : wrong) {
    const auto parsed = parse_size(c.text);
    EXPECT_FALSE(parsed.value) << c.text;
    EXPECT_EQ(parsed.problem, c.problem) << c.text;
    EXPECT_EQ(parsed.hint, c.hint) << c.text;
  }
}

TEST(ModeText, IsOctalPermissions) {
  for (const auto& [text, mode] : {std::pair{"0660", 0660u}, {"660", 0660u}, {"0o777", 0777u}, {"0", 0u}}) {
    ASSERT_TRUE(parse_mode(text).value) << text;
    EXPECT_EQ(*parse_mode(text).value, mode) << text;
  }
  for (const char* text : {"", "0o", "1000", "8", "rw-rw----", "-1", "0660 "}) {
    EXPECT_FALSE(parse_mode(text).value) << text;
  }
  EXPECT_EQ(format_mode(0660), "0660");
  EXPECT_EQ(format_mode(07), "0007");
}

TEST(AddressText, ReadsEveryFormAndWritesItBack) {
  struct Case {
    const char* text;
    const char* written;
  };
  constexpr Case cases[] = {
      {"127.0.0.1:80", "127.0.0.1:80"},
      {"[::1]:8080", "[::1]:8080"},
      {":8080", "[::]:8080"},
      {"0.0.0.0:0", "0.0.0.0:0"},
      {"unix:/run/telltale.sock", "unix:/run/telltale.sock"},
      {"unix:/with space", "unix:/with space"},
  };
  for (const Case& c : cases) {
    const auto parsed = parse_address(c.text);
    ASSERT_TRUE(parsed.value) << c.text << ": " << parsed.problem;
    EXPECT_EQ(parsed.value->to_string(), c.written) << c.text;
  }
}

TEST(AddressText, SaysWhatWouldBeRight) {
  struct Case {
    const char* text;
    const char* problem;
    const char* hint;
  };
  constexpr const char* general = "an IP address and a port as 192.0.2.1:80, [2001:db8::1]:80 or :80, or unix:/path";
  const Case cases[] = {
      {"8080", "is not an address", "write :8080 for a port on all interfaces"},
      {"localhost:80", "is a host name; an address must be numeric", "write 127.0.0.1:80"},
      {"*:80", "is not an address", "write :80 for all interfaces"},
      {"example.com:80", "is a host name; this address must be numeric", "write its IP address"},
      {"10.0.0.1", "has no port", general},
      {"2001:db8::1", "has no port", "an IPv6 address goes in brackets before a port: [2001:db8::1]:80"},
      {"10.0.0.300:80", "is not an IP address and port", general},
      {"10.0.0.1:99999", "has a bad port", "a port is a number from 0 to 65535"},
      {"10.0.0.1:", "has a bad port", "a port is a number from 0 to 65535"},
      {"10.0.0.1:http", "has a bad port", "a port is a number from 0 to 65535"},
      {"http://10.0.0.1:80", "is not an IP address and port", general},
      {"unix:relative", "is not an absolute path", "unix:/run/telltale.sock"},
      {"unix:", "is not an absolute path", "unix:/run/telltale.sock"},
      {"", "has no port", general},
  };
  for (const Case& c : cases) {
    const auto parsed = parse_address(c.text);
    EXPECT_FALSE(parsed.value) << c.text;
    EXPECT_EQ(parsed.problem, c.problem) << c.text;
    EXPECT_EQ(parsed.hint, c.hint) << c.text;
  }
  EXPECT_TRUE(parse_address("unix:/" + std::string(106, 'x')).value);
  EXPECT_EQ(parse_address("unix:/" + std::string(107, 'x')).problem, "is too long for a Unix socket");
}

TEST(HostText, IsAnAddressOrAName) {
  EXPECT_EQ(parse_host("10.0.0.1").value, "10.0.0.1");
  EXPECT_EQ(parse_host("2001:DB8::1").value, "2001:db8::1");
  EXPECT_EQ(parse_host("::ffff:10.0.0.1").value, "10.0.0.1");
  EXPECT_EQ(parse_host("Node-A.local").value, "node-a.local");
  EXPECT_EQ(parse_host("node_a.local.").value, "node_a.local.");
  for (const char* text : {"10.0.0.300", "10.0.0", "not a name", "", "[::1]", "unix:/x", "a..b", "1"}) {
    EXPECT_EQ(parse_host(text).problem, "is not an IP address or host name") << text;
  }
  EXPECT_EQ(parse_host("10.0.0.1:80").hint, "write 10.0.0.1 here and `port: 80` beside it");
  EXPECT_EQ(parse_host("[::1]:80").hint, "write ::1 here and `port: 80` beside it");
  EXPECT_EQ(parse_host("[::1]").hint, "write \"::1\"");
  EXPECT_EQ(parse_host("node-a:80").hint, "write node-a here and `port: 80` beside it");
}

TEST(BackendText, IsAnAddressOrANameWithAPort) {
  for (const char* text : {"10.0.0.1:80", "[2001:db8::1]:80", "unix:/run/x.sock", ":80"}) {
    const auto parsed = parse_backend(text);
    ASSERT_TRUE(parsed.value) << text;
    EXPECT_FALSE(parsed.value->dns) << text;
  }
  struct Name {
    const char* text;
    const char* name;
    std::uint16_t port;
  };
  constexpr Name names[] = {{"Shop.Internal:8080", "shop.internal", 8080},
                            {"shop.internal.:80", "shop.internal.", 80},
                            {"localhost:1", "localhost", 1},
                            {"a_b-c:65535", "a_b-c", 65535}};
  for (const Name& c : names) {
    const auto parsed = parse_backend(c.text);
    ASSERT_TRUE(parsed.value && parsed.value->dns) << c.text;
    EXPECT_EQ(*parsed.value->dns, (DnsName{DnsName::Kind::address, c.name, c.port})) << c.text;
    EXPECT_EQ(parsed.value->to_string(), std::string(c.name) + ":" + std::to_string(c.port));
  }
  struct Wrong {
    const char* text;
    const char* problem;
    const char* hint;
  };
  constexpr const char* general = "like 10.0.0.1:8080, [2001:db8::1]:8080, shop.internal:8080 or unix:/path";
  constexpr Wrong wrong[] = {
      {"10.0.0.300:80", "is not an IP address or host name and a port", general},
      {"http://shop.internal:80", "is not an IP address or host name and a port", general},
      {"10.0.0.1", "has no port", general},
      {"shop.internal", "has no port", general},
      {"2001:db8::1", "has no port", "an IPv6 address goes in brackets before a port: [2001:db8::1]:80"},
      {"shop.internal:http", "has a bad port", "a port is a number from 1 to 65535"},
      {"shop.internal:65536", "has a bad port", "a port is a number from 1 to 65535"},
      {"shop.internal:0", "has port 0: nothing can be reached there", ""},
      {"unix:x", "is not an absolute path", "unix:/run/telltale.sock"},
      {"", "has no port", general},
  };
  for (const Wrong& c : wrong) {
    const auto parsed = parse_backend(c.text);
    EXPECT_FALSE(parsed.value) << c.text;
    EXPECT_EQ(parsed.problem, c.problem) << c.text;
    EXPECT_EQ(parsed.hint, c.hint) << c.text;
  }
}

TEST(SocketText, IsAPortOrAnAddress) {
  EXPECT_EQ(parse_socket("32122").value->to_string(), "[::]:32122");
  EXPECT_EQ(parse_socket("0").value->to_string(), "[::]:0");
  EXPECT_EQ(parse_socket("10.0.0.1:32122").value->to_string(), "10.0.0.1:32122");
  EXPECT_EQ(parse_socket("65536").problem, "has a bad port");
  EXPECT_EQ(parse_socket("web").hint, "a port as 32122, or an address as 10.0.0.11:32122");
  EXPECT_EQ(parse_socket("unix:/x").problem, "is not an IP address and port");
  EXPECT_EQ(parse_socket("node-a:80").problem, "is a host name; this address must be numeric");
}

TEST(StatusText, IsACodeOrARange) {
  struct Case {
    const char* text;
    std::uint16_t first, last;
  };
  for (const Case& c : {Case{"200", 200, 200}, {"500-599", 500, 599}, {"100-100", 100, 100}, {"599", 599, 599}}) {
    const auto parsed = parse_statuses(c.text);
    ASSERT_TRUE(parsed.value) << c.text;
    EXPECT_EQ(*parsed.value, (StatusRange{c.first, c.last})) << c.text;
  }
  EXPECT_EQ(format_statuses({500, 599}), "500-599");
  EXPECT_EQ(format_statuses({503, 503}), "503");
  struct Wrong {
    const char* text;
    const char* problem;
    const char* hint;
  };
  constexpr Wrong wrong[] = {
      {"5xx", "is neither a status code nor a range of them", "write 500-599"},
      {"2XX", "is neither a status code nor a range of them", "write 200-299"},
      {"ok", "is neither a status code nor a range of them", "like 503 or 500-599"},
      {"", "is neither a status code nor a range of them", "like 503 or 500-599"},
      {"200-", "is neither a status code nor a range of them", "like 503 or 500-599"},
      {"-200", "is neither a status code nor a range of them", "like 503 or 500-599"},
      {"200 - 299", "is neither a status code nor a range of them", "like 503 or 500-599"},
      {"99", "is out of range", "100 to 599"},
      {"600", "is out of range", "100 to 599"},
      {"500-600", "is out of range", "100 to 599"},
      {"600-500", "is out of range", "100 to 599"},
      {"500-400", "ends before it begins", ""},
  };
  for (const Wrong& c : wrong) {
    const auto parsed = parse_statuses(c.text);
    EXPECT_FALSE(parsed.value) << c.text;
    EXPECT_EQ(parsed.problem, c.problem) << c.text;
    EXPECT_EQ(parsed.hint, c.hint) << c.text;
  }
}

TEST(CidrText, NamesTheNetworkThatWasMeant) {
  EXPECT_EQ(parse_cidr("10.0.0.0/8").value->to_string(), "10.0.0.0/8");
  EXPECT_EQ(parse_cidr("192.0.2.1").value->prefix_length(), 32u);
  struct Case {
    const char* text;
    const char* problem;
    const char* hint;
  };
  constexpr Case cases[] = {
      {"10.1.2.3/8", "has bits set beyond its prefix", "write 10.0.0.0/8"},
      {"10.1.2.255/25", "has bits set beyond its prefix", "write 10.1.2.128/25"},
      {"10.1.2.3/0", "has bits set beyond its prefix", "write 0.0.0.0/0"},
      {"2001:db8::1/32", "has bits set beyond its prefix", "write 2001:db8::/32"},
      {"10.0.0.0/33", "has a bad prefix length", "0 to 32 for IPv4"},
      {"2001:db8::/129", "has a bad prefix length", "0 to 128 for IPv6"},
      {"10.0.0.0/", "has a bad prefix length", "0 to 32 for IPv4"},
      {"::ffff:10.0.0.0/80", "is a range of IPv4-mapped addresses that is not one of IPv4",
       "write it as IPv4, like 10.0.0.0/8"},
      {"everyone", "is not an address range", "like 10.0.0.0/8, 2001:db8::/32, 192.0.2.1 or the word unix"},
      {"10.0.0.0.0/8", "is not an address range", "like 10.0.0.0/8, 2001:db8::/32, 192.0.2.1 or the word unix"},
  };
  for (const Case& c : cases) {
    const auto parsed = parse_cidr(c.text);
    EXPECT_FALSE(parsed.value) << c.text;
    EXPECT_EQ(parsed.problem, c.problem) << c.text;
    EXPECT_EQ(parsed.hint, c.hint) << c.text;
  }
}

TEST(Utf8Text, FindsTheFirstBadOctet) {
  struct Case {
    const char* what;
    std::string text;
    std::size_t place;
  };
  const Case cases[] = {
      {"ASCII", "abc", std::string::npos},
      {"two, three and four octets", "é€😀", std::string::npos},
      {"a continuation alone", "a\x80", 1},
      {"overlong two", "ab\xc0\xaf", 2},
      {"overlong three", "\xe0\x80\xaf", 0},
      {"overlong four", "\xf0\x80\x80\xaf", 0},
      {"a surrogate", "x\xed\xa0\x80", 1},
      {"above U+10FFFF", "\xf4\x90\x80\x80", 0},
      {"cut", "abc\xe2\x82", 3},
      {"an octet that is never used", "\xff", 0},
  };
  for (const Case& c : cases) EXPECT_EQ(find_bad_utf8(c.text), c.place) << c.what;
}

TEST(QuotedText, CannotReachATerminal) {
  EXPECT_EQ(quote("plain"), "\"plain\"");
  EXPECT_EQ(quote("a\nb\x1b[2J\x7f"), "\"a\\nb\\x1b[2J\\x7f\"");
  EXPECT_EQ(quote("\xc2\x9b"
                  "31m"),
            "\"\\xc2\x9b"
            "31m\"")
      << "a C1 control loses its lead octet";
  EXPECT_EQ(quote(std::string(200, 'x')), "\"" + std::string(80, 'x') + "…\"");
  EXPECT_EQ(quote(std::string(79, 'x') + "é" + "tail"), "\"" + std::string(79, 'x') + "é…\"") << "not cut within é";
}

TEST(HostNameText, IsNotAnAddressGoneWrong) {
  for (const char* text : {"a", "example.com", "a-b.c_d", "1.example", "10.0.0.0.x", "3com"}) {
    EXPECT_TRUE(is_host_name(text)) << text;
  }
  for (const char* text : {"", ".", "a..b", "a.", "10.0.0.300", "1", "a b", "é.com", "*.com", "a:80"}) {
    EXPECT_FALSE(is_host_name(text)) << text;
  }
  EXPECT_FALSE(is_host_name(std::string(64, 'a')));
  EXPECT_TRUE(is_dns_name("a.example."));
  EXPECT_TRUE(is_dns_name("_http._tcp.a.example"));
  for (const char* text : {"", ".", "a..", "10.0.0.1.", "a:80"}) EXPECT_FALSE(is_dns_name(text)) << text;
}

TEST(AuthorityText, IsAHostWithOrWithoutPort) {
  for (const char* text : {"a.example", "a.example:8443", "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]", "[::1]:80",
                           "[::ffff:192.0.2.1]:80"}) {
    EXPECT_TRUE(is_authority(text)) << text;
  }
  for (const char* text : {"", ":80", "a:", "a:0", "a:65536", "a:x", "::1", "2001:db8::1", "[192.0.2.1]", "[]", "[::1",
                           "a b", "user@a", "http://a", "10.0.0.300"}) {
    EXPECT_FALSE(is_authority(text)) << text;
  }
}

}  // namespace
}  // namespace telltale::conf
