#include "protocol/forwarding/propagate.h"
#include "tests/unit/protocol/forwarding/propagate_support.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace telltale::forwarding {
namespace {

using namespace test;

TEST(MakeProxyHeader, FromTheClientToWhatItAimedAt) {
  struct Case {
    const char* description;
    Request request;
    proxy_protocol::Family family;
    const char* source;
    const char* destination;
  };
  using proxy_protocol::Family;
  const Case cases[] = {
      {"a direct client", {direct, xff({}), ""}, Family::inet, "198.51.100.7:5000", "203.0.113.1:80"},
      {"a client behind a PROXY header",
       {proxied("10.0.0.1:1", "[2001:db8::1]:5", "[2001:db8::80]:443"), xff({}), ""},
       Family::inet6,
       "[2001:db8::1]:5",
       "[2001:db8::80]:443"},
      {"a client out of a header has no port",
       {lb, xff(private_net()), "X-Forwarded-For: 192.0.2.1"},
       Family::inet,
       "192.0.2.1:0",
       "203.0.113.1:80"},
      {"its port, if the header said it",
       {lb, xff(private_net()), "X-Forwarded-For: 192.0.2.1:4711"},
       Family::inet,
       "192.0.2.1:4711",
       "203.0.113.1:80"},
      {"mixed families",
       {lb, xff(private_net()), "X-Forwarded-For: 2001:db8::1"},
       Family::inet6,
       "[2001:db8::1]:0",
       "203.0.113.1:80"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.description);
    ClientAddress client;
    resolve_client_address(c.request.peer, fields(c.request.lines), c.request.trust, client);
    const proxy_protocol::Header header = make_proxy_header({}, {c.request.peer, client, "http", "a"});
    EXPECT_EQ(header.command, proxy_protocol::Command::proxy);
    EXPECT_EQ(header.transport, proxy_protocol::Transport::stream);
    EXPECT_EQ(header.family, c.family);
    EXPECT_EQ(header.source, node(c.source));
    EXPECT_EQ(header.destination, node(c.destination));
    EXPECT_EQ(header.tlvs, "");
  }
}

TEST(MakeProxyHeader, IsLocalWhenAnAddressIsMissing) {
  // CVE-2024-23327: no null address is ever made up.
  PeerInfo no_destination = direct;
  no_destination.socket_local.reset();
  for (const PeerInfo& peer : {PeerInfo{}, no_destination}) {
    ClientAddress client;
    resolve_client_address(peer, {}, xff({}), client);
    Propagate p;
    p.tlvs = {proxy_protocol::TlvType::authority, proxy_protocol::TlvType::alpn};
    const proxy_protocol::Header header = make_proxy_header(p, {peer, client, "http", "a"});
    EXPECT_EQ(header.command, proxy_protocol::Command::local);
    EXPECT_EQ(header.family, proxy_protocol::Family::unspecified);
    EXPECT_FALSE(header.source);
    EXPECT_FALSE(header.destination);
    EXPECT_EQ(header.tlvs, "");
  }
}

TEST(MakeProxyHeader, CarriesTheTlvsAskedFor) {
  using namespace std::string_literals;
  using proxy_protocol::TlvType;
  using proxy_protocol::Version;
  struct Case {
    const char* description;
    Version version;
    std::vector<TlvType> tlvs;
    const char* host;
    std::string expected;
  };
  const Case cases[] = {
      {"authority and alpn, in that order",
       Version::v2,
       {TlvType::authority, TlvType::alpn},
       "a.b",
       "\x02\0\x03"s + "a.b"s + "\x01\0\x08http/1.1"s},
      {"the authority's host, without its port", Version::v2, {TlvType::authority}, "a.b:8080", "\x02\0\x03"s + "a.b"s},
      {"an IPv6 authority", Version::v2, {TlvType::authority}, "[::1]:80", "\x02\0\x05[::1]"s},
      {"no authority", Version::v2, {TlvType::authority}, "", ""},
      {"unique_id and crc32c are the connection's", Version::v2, {TlvType::unique_id, TlvType::crc32c}, "a", ""},
      {"v1 has none", Version::v1, {TlvType::authority, TlvType::alpn}, "a", ""},
  };
  for (const Case& c : cases) {
    ClientAddress client;
    resolve_client_address(direct, {}, xff({}), client);
    Propagate p;
    p.proxy_version = c.version;
    p.tlvs = c.tlvs;
    const proxy_protocol::Header header = make_proxy_header(p, {direct, client, "http", c.host});
    EXPECT_EQ(header.tlvs, c.expected) << c.description;
    EXPECT_EQ(header.version, c.version) << c.description;
  }
}

std::string tlv(int type, std::string_view value) {
  std::string out;
  EXPECT_TRUE(proxy_protocol::append_tlv(out, proxy_protocol::TlvType{static_cast<std::uint8_t>(type)}, value));
  return out;
}

TEST(MakeProxyHeader, TellsWhatTheClientAgreedOnWithUs) {
  using namespace std::string_literals;
  using proxy_protocol::TlvType;
  const TlsFacts tls{.sni = "sni.example", .version = "TLSv1.3", .cipher = "TLS_X", .alpn = "postgresql"};
  const std::string ssl = tlv(0x20, "\1\0\0\0\1"s + tlv(0x21, "TLSv1.3") + tlv(0x23, "TLS_X"));
  PeerInfo told_of_another = direct;
  told_of_another.tlvs = tlv(0x20, "\1\0\0\0\0"s + tlv(0x21, "TLSv1.2"));
  ClientAddress client;
  resolve_client_address(direct, {}, xff({}), client);
  Propagate p;
  p.tlvs = {TlvType::alpn, TlvType::authority, TlvType::ssl};
  const auto told = [&](const PeerInfo& peer, std::string_view host, unsigned minor, const TlsFacts* facts) {
    RequestFacts request{peer, client, "https", host};
    request.http_minor = minor;
    request.tls = facts;
    return make_proxy_header(p, request).tlvs;
  };
  const auto tcp = RequestFacts::no_http;
  EXPECT_EQ(told(direct, "a.b", 1, &tls), tlv(1, "postgresql") + tlv(2, "a.b") + ssl);
  EXPECT_EQ(told(direct, "", tcp, &tls), tlv(1, "postgresql") + tlv(2, "sni.example") + ssl);
  EXPECT_EQ(told(told_of_another, "a.b", 1, &tls), tlv(1, "postgresql") + tlv(2, "a.b") + ssl) << "ours goes first";
  TlsFacts passed_through = tls;
  passed_through.terminated = false;
  EXPECT_EQ(told(told_of_another, "", tcp, &passed_through),
            tlv(1, "postgresql") + tlv(2, "sni.example") + told_of_another.tlvs)
      << "what was not agreed on with us is not ours to tell";
  EXPECT_EQ(told(told_of_another, "", tcp, nullptr), told_of_another.tlvs) << "no request: no protocol is made up";
}

TEST(MakeProxyHeader, PassesReceivedTlvsOn) {
  using proxy_protocol::TlvType;
  using namespace std::string_literals;
  const std::string authority = tlv(2, "sni.example"), alpn = tlv(1, "h2"), netns = tlv(0x30, "blue");
  const std::string ssl = tlv(0x20, "\7\0\0\0\0"s + tlv(0x21, "TLSv1.3") + tlv(0x22, "client"));
  const std::string other_ssl = tlv(0x20, "\1\0\0\0\0"s + tlv(0x22, "far"));
  const std::string aws = tlv(0xea, "\1vpce-1"), aws_other = tlv(0xea, "\2x"), id = tlv(5, "received id");
  struct {
    const char* description;
    std::vector<TlvType> tlvs;
    std::vector<const char*> pass;
    std::string received;
    std::string expected;
  } const cases[] = {
      {"nothing received", {TlvType::ssl, TlvType::netns}, {"aws_vpce_id", "alpn"}, "", ""},
      {"nothing asked for", {}, {}, authority + ssl + aws, ""},
      {"the SSL TLV with its parts", {TlvType::ssl}, {}, authority + ssl + aws, ssl},
      {"of two SSL TLVs the nearest hop's", {TlvType::ssl}, {}, ssl + other_ssl, ssl},
      {"likewise by type", {}, {"0x20"}, other_ssl + ssl, other_ssl},
      {"in the order asked for", {TlvType::netns, TlvType::ssl}, {}, ssl + netns, netns + ssl},
      {"ours first, then those passed as they came",
       {TlvType::authority},
       {"aws_vpce_id", "alpn", "unique_id"},
       id + aws + authority + alpn,
       tlv(2, "a.b") + id + aws + alpn},
      {"one subtype", {}, {"aws_vpce_id"}, aws_other + aws, aws},
      {"a whole type", {}, {"0xEA"}, aws_other + aws, aws_other + aws},
      {"by name and by type: once", {}, {"aws_vpce_id", "0xEA"}, aws + aws_other, aws + aws_other},
      {"an empty one", {}, {"0xE3"}, tlv(0xe3, ""), tlv(0xe3, "")},
      {"of the spec's types the first", {}, {"alpn"}, alpn + tlv(1, "http/1.1"), alpn},
      {"one that we write is not passed", {TlvType::alpn}, {"0x01"}, alpn, tlv(1, "http/1.1")},
  };
  for (const auto& c : cases) {
    PeerInfo peer = direct;
    peer.tlvs = c.received;
    ClientAddress client;
    resolve_client_address(peer, {}, xff({}), client);
    Propagate p;
    p.tlvs = c.tlvs;
    for (const char* name : c.pass) p.pass_tlvs.push_back(proxy_protocol::parse_tlv_selector(name).value());
    EXPECT_EQ(make_proxy_header(p, {peer, client, "http", "a.b"}).tlvs, c.expected) << c.description;
    p.proxy_version = proxy_protocol::Version::v1;
    EXPECT_EQ(make_proxy_header(p, {peer, client, "http", "a.b"}).tlvs, "") << c.description;
  }
}

}  // namespace
}  // namespace telltale::forwarding
