#include "protocol/tls/client_hello.h"

#include "tests/unit/protocol/tls/captured_hellos.h"
#include "tests/unit/protocol/tls/hello_harness.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace telltale::tls {
namespace {

using Status = ClientHelloPeek::Status;
using namespace std::string_literals;

struct Captured {
  const char* description;
  std::string_view hex;
  Seen seen;
};
const Captured captured_hellos[] = {
    {"openssl, TLS 1.3, name in mixed case",
     captured::openssl_default,
     {.server_name = "shop.example.com", .highest_version = 0x0304}},
    {"openssl, no name", captured::openssl_no_sni, {.highest_version = 0x0304}},
    {"openssl, TLS 1.2 alone", captured::openssl_tls12, {.server_name = "shop.example.com", .highest_version = 0x0303}},
    {"openssl, many extensions",
     captured::openssl_many,
     {.server_name = "shop.example.com",
      .alpn = {"h2", "http/1.1", "http/1.0", "imap", "pop3", "ftp", "dot"},
      .highest_version = 0x0304}},
    {"openssl, a ticket of TLS 1.2",
     captured::openssl_tls12_ticket,
     {.server_name = "shop.example.com", .highest_version = 0x0303, .session_ticket = true}},
    {"openssl, a ticket of TLS 1.3",
     captured::openssl_tls13_ticket,
     {.server_name = "shop.example.com", .highest_version = 0x0304, .pre_shared_key = true}},
    {"openssl, early data",
     captured::openssl_early_data,
     {.server_name = "shop.example.com", .highest_version = 0x0304, .pre_shared_key = true, .early_data = true}},
    {"curl, HTTP/2, padded to 512 octets",
     captured::curl_http2,
     {.server_name = "shop.example.com", .alpn = {"h2", "http/1.1"}, .highest_version = 0x0304}},
    {"curl, an address in the URL", captured::curl_address, {.alpn = {"h2", "http/1.1"}, .highest_version = 0x0304}},
    {"Java",
     captured::java,
     {.server_name = "shop.example.com", .alpn = {"h2", "http/1.1"}, .highest_version = 0x0304}},
};

Seen expected(const Captured& c, std::size_t size) {
  Seen seen = c.seen;
  seen.status = Status::done;
  seen.size = size;
  seen.legacy_version = 0x0303;
  return seen;
}

TEST(ClientHelloPeek, ReadsWhatRealClientsSendHoweverItIsCut) {
  for (const Captured& c : captured_hellos) {
    SCOPED_TRACE(c.description);
    const std::string octets = captured::octets(c.hex);
    EXPECT_EQ(scan_every_way(octets), expected(c, octets.size()));
  }
}

TEST(ClientHelloPeek, ReadsThemInTwoRecordsWithTheBorderAtEveryOctet) {
  for (const Captured& c : captured_hellos) {
    SCOPED_TRACE(c.description);
    const std::string octets = captured::octets(c.hex);
    const std::string_view payload = std::string_view(octets).substr(5);
    for (std::size_t border = 1; border < payload.size(); ++border) {
      const std::string two = record(payload.substr(0, border)) + record(payload.substr(border), 0x0303);
      ClientHelloPeek peek;
      ASSERT_EQ(scan_once(peek, two), expected(c, octets.size() + 5)) << border;
      ASSERT_EQ(scan_once(peek, two), expected(c, octets.size() + 5)) << border << ", asked again";
      // Segments that fit neither records nor each other.
      ASSERT_EQ(scan_in_steps(two, 7, {}), expected(c, octets.size() + 5)) << border;
    }
  }
}

TEST(ClientHelloPeek, ReadsThemInRecordsOfAnySizeHoweverTheyAreCut) {
  for (const Captured& c : captured_hellos) {
    const std::string octets = captured::octets(c.hex);
    for (const std::size_t size : {1, 2, 3, 4, 5, 100}) {
      SCOPED_TRACE(c.description + " in records of "s + std::to_string(size));
      const std::string many = records(std::string_view(octets).substr(5), size);
      EXPECT_EQ(scan_every_way(many), expected(c, many.size()));
    }
  }
}

TEST(ClientHelloPeek, LooksAtNothingBehindTheHello) {
  const std::string octets = captured::octets(captured::curl_http2);
  const std::string behind[] = {
      "",     record("\1", 0x0303, 20),    record("early data", 0x0303, 23), "no record at all",
      octets, std::string(100'000, '\xff')};
  for (const std::string& more : behind) {
    SCOPED_TRACE(more.substr(0, 20));
    ClientHelloPeek peek;
    EXPECT_EQ(scan_once(peek, octets + more), expected(captured_hellos[7], octets.size()));
    EXPECT_EQ(scan_once(peek, octets), expected(captured_hellos[7], octets.size()));
  }
}

TEST(ClientHelloPeek, TellsAtOnceWhatIsNotTls) {
  const struct {
    const char* description;
    std::string octets;
    std::size_t enough;  ///< octets after which it is sure
  } cases[] = {
      {"plain HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1},
      {"HTTP/2 with prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 1},
      {"an SSH banner", "SSH-2.0-OpenSSH_9.2p1\r\n", 1},
      {"PROXY v1", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", 1},
      {"PROXY v2", "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"s, 1},
      {"a hello in the form of SSL 2.0", "\x80\x2e\1\3\1\0\x15\0\0\0\x10"s, 1},
      {"PostgreSQL's SSLRequest", "\0\0\0\x08\x04\xd2\x16\x2f"s, 1},
      {"a TLS alert", "\x15\3\1\0\2\2\x28"s, 1},
      {"TLS application data", "\x17\3\3\0\1x"s, 1},
      {"DTLS", "\x16\xfe\xff\0\0\0\0\0\0\0\0\0\x10"s, 2},
      {"a record of a major version to come", "\x16\4\1\0\x10"s, 2},
      {"SYN, then text", "\x16GET / HTTP/1.1\r\n", 2},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    EXPECT_EQ(scan_every_way(c.octets), (Seen{.status = Status::not_tls}));
    ClientHelloPeek peek;
    EXPECT_EQ(peek.scan(c.octets.substr(0, c.enough - 1)).status, Status::need_more);
    EXPECT_EQ(peek.scan(c.octets.substr(0, c.enough)).status, Status::not_tls);
  }
}

// RFC 5246 E.1: any minor version must be taken.
TEST(ClientHelloPeek, TakesRecordsOfAnyMinorVersion) {
  const std::string whole = message(body({.extensions = server_name_extension("a.example")}));
  for (const std::size_t version : {0x0300, 0x0301, 0x0302, 0x0303, 0x0304, 0x03ff}) {
    SCOPED_TRACE(version);
    EXPECT_EQ(scan_every_way(record(whole, version)).server_name, "a.example");
    EXPECT_EQ(scan_every_way(record(whole.substr(0, 9)) + record(whole.substr(9), version)).server_name, "a.example");
  }
}

TEST(ClientHelloPeek, RefusesMalformedRecords) {
  const std::string whole = message(body({}));
  const std::string start = record(whole.substr(0, 20)), rest = whole.substr(20);
  const struct {
    const char* description;
    std::string octets;
    Error error;
  } cases[] = {
      {"an empty record first", record("") + record(whole), Error::record_length},
      {"an empty record in between", start + record("") + record(rest), Error::record_length},
      {"a record of 2^14 + 1 octets", "\x16\3\1\x40\1"s, Error::record_length},
      {"an alert in between", start + record("\2\x28", 0x0301, 21) + record(rest), Error::record_type},
      {"application data in between", start + record(rest, 0x0303, 23), Error::record_type},
      {"another major version in between", start + record(rest, 0x0401), Error::record_type},
      {"plain text in between", start + "GET / HTTP/1.1\r\n", Error::record_type},
      {"a HelloRequest", record(message("", 0)), Error::not_client_hello},
      {"a ServerHello", record(message(body({}), 2)), Error::not_client_hello},
      {"a ServerHello, a record for each octet", records(message(body({}), 2), 1), Error::not_client_hello},
      {"another message in its record", record(whole + message("", 0)), Error::trailing_octets},
      {"one octet more in its record", record(whole + "x"), Error::trailing_octets},
      {"one octet more in its last record", start + record(rest + "x"), Error::trailing_octets},
      {"a record for the message's type, then too much", record(whole.substr(0, 1)) + record(whole.substr(1) + "x"),
       Error::trailing_octets},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    EXPECT_EQ(scan_every_way(c.octets), (Seen{.status = Status::malformed, .error = c.error}));
  }
}

TEST(ClientHelloPeek, RefusesMalformedFields) {
  const std::string good = body({});
  const struct {
    const char* description;
    std::string body;
    Error error;
  } cases[] = {
      {"nothing", "", Error::bad_length},
      {"a version alone", "\3\3", Error::bad_length},
      {"the random value cut off", good.substr(0, 33), Error::bad_length},
      {"no session id", good.substr(0, 34), Error::bad_length},
      {"the session id cut off", good.substr(0, 50), Error::bad_length},
      {"a session id of 33 octets", body({.session_id = std::string(33, 's')}), Error::bad_length},
      {"half a length of cipher suites", good.substr(0, 68), Error::bad_length},
      {"no cipher suites", body({.cipher_suites = ""}), Error::bad_length},
      {"one and a half cipher suites", body({.cipher_suites = "\x13\1\x13"}), Error::bad_length},
      {"no compression methods' length", good.substr(0, 73), Error::bad_length},
      {"no compression method", body({.compression_methods = ""}), Error::bad_length},
      {"half a length of extensions", good.substr(0, 76), Error::bad_length},
      {"extensions cut off", body({.extensions = std::nullopt}) + u16(5) + extension(23, ""), Error::bad_length},
      {"octets behind the extensions", body({.trailing = "x"}), Error::trailing_octets},
      {"an extension behind the extensions", body({.trailing = extension(23, "")}), Error::trailing_octets},
      {"SSL 3.0", body({.version = 0x0300}), Error::bad_version},
      {"SSL 2.0", body({.version = 0x0002}), Error::bad_version},
      {"DTLS 1.2", body({.version = 0xfefd}), Error::bad_version},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    EXPECT_EQ(scan_every_way(record(message(c.body))), (Seen{.status = Status::malformed, .error = c.error}));
    EXPECT_EQ(scan_every_way(records(message(c.body), 30)), (Seen{.status = Status::malformed, .error = c.error}));
  }
}

TEST(ClientHelloPeek, RefusesMalformedExtensions) {
  const std::string name = name_entry(0, "a.example");
  const struct {
    const char* description;
    std::string extensions;
    Error error;
  } cases[] = {
      {"half a type", "\0"s, Error::bad_length},
      {"a type without a length", u16(23), Error::bad_length},
      {"a length cut off", u16(23) + "\0"s, Error::bad_length},
      {"data cut off", u16(23) + u16(2) + "x", Error::bad_length},
      {"an octet behind the last one", extension(23, "") + "x", Error::bad_length},
      {"early data with data", extension(42, "x"), Error::bad_length},
      {"an unknown extension twice", extension(0xfe0d, "a") + extension(23, "") + extension(0xfe0d, "b"),
       Error::duplicate_extension},
      {"the same GREASE twice", extension(0x1a1a, "") + extension(0x1a1a, "\0"s), Error::duplicate_extension},
      {"two server names", server_name_extension("a.example") + server_name_extension("a.example"),
       Error::duplicate_extension},
      {"two lists of protocols", alpn_extension("\2h2") + alpn_extension("\2h2"), Error::duplicate_extension},
      {"server name: nothing", extension(0, ""), Error::bad_server_name},
      {"server name: half a length", extension(0, "\0"s), Error::bad_server_name},
      {"server name: an empty list", extension(0, vector16("")), Error::bad_server_name},
      {"server name: list shorter than the extension", extension(0, vector16(name) + "x"), Error::bad_server_name},
      {"server name: list longer than the extension", extension(0, u16(name.size() + 1) + name),
       Error::bad_server_name},
      {"server name: a type alone", extension(0, vector16("\0"s)), Error::bad_server_name},
      {"server name: name longer than the list", extension(0, vector16("\0\0\x0a"s + "a.example")),
       Error::bad_server_name},
      {"server name: name shorter than the list", extension(0, vector16("\0\0\x08"s + "a.example")),
       Error::bad_server_name},
      {"server name: two of one type", extension(0, vector16(name + name_entry(0, "b.example"))),
       Error::bad_server_name},
      {"server name: two of an unknown type", extension(0, vector16(name_entry(7, "x") + name + name_entry(7, "y"))),
       Error::bad_server_name},
      {"server name: empty", server_name_extension(""), Error::bad_host_name},
      {"protocols: nothing", extension(16, ""), Error::bad_alpn},
      {"protocols: an empty list", alpn_extension(""), Error::bad_alpn},
      {"protocols: an empty name", alpn_extension("\2h2\0"s), Error::bad_alpn},
      {"protocols: name longer than the list", alpn_extension("\3h2"), Error::bad_alpn},
      {"protocols: list shorter than the extension", extension(16, vector16("\2h2") + "x"), Error::bad_alpn},
      {"protocols: list longer than the extension", extension(16, u16(4) + "\2h2"), Error::bad_alpn},
      {"versions: nothing", extension(43, ""), Error::bad_supported_versions},
      {"versions: an empty list", versions_extension(""), Error::bad_supported_versions},
      {"versions: one and a half", versions_extension("\3\4\3"), Error::bad_supported_versions},
      {"versions: list shorter than the extension", extension(43, vector8("\3\4") + "\3\3"),
       Error::bad_supported_versions},
      {"versions: list longer than the extension", extension(43, u8(4) + "\3\4"), Error::bad_supported_versions},
      {"an extension behind the pre-shared key", extension(41, "x") + extension(23, ""), Error::psk_not_last},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    EXPECT_EQ(scan_every_way(hello_with(c.extensions)), (Seen{.status = Status::malformed, .error = c.error}));
  }
}

TEST(ClientHelloPeek, NamesEveryErrorDistinctly) {
  std::set<std::string> messages;
  std::set<std::string_view> labels;
  for (std::size_t value = 1; value <= error_count; ++value) {
    const boost::system::error_code code = static_cast<Error>(value);
    EXPECT_TRUE(code);
    EXPECT_EQ(&code.category(), &error_category());
    messages.insert(code.message());
    labels.insert(error_label(static_cast<Error>(value)));
  }
  EXPECT_EQ(messages.size(), error_count);
  EXPECT_EQ(labels.size(), error_count);
  EXPECT_EQ(labels.count("unknown"), 0u);
}

}  // namespace
}  // namespace telltale::tls
