// The common case allocates nothing once the reused objects are warm: counted by operator new itself.
#include "protocol/forwarding/client_address.h"
#include "protocol/forwarding/propagate.h"
#include "protocol/http1/parser.h"
#include "protocol/http1/serializer.h"
#include "protocol/proxy_protocol/parser.h"
#include "protocol/proxy_protocol/serializer.h"
#include "protocol/tls/client_hello.h"
#include "tests/unit/protocol/forwarding/support.h"
#include "tests/unit/protocol/tls/captured_hellos.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <new>
#include <string>

namespace {
thread_local std::size_t allocations = 0;

void* counted(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
}  // namespace

// The nothrow forms and those for arrays call these; aligned ones are not used here.
void* operator new(std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace telltale {
namespace {

using namespace forwarding;

std::size_t count(const std::function<void()>& work) {
  work();  // warm
  const std::size_t before = allocations;
  work();
  return allocations - before;
}

TEST(Allocation, IsCounted) {
  EXPECT_EQ(count([] { delete new int; }), 1u) << "or the rest of this file shows nothing";
}

struct Chain {
  const char* description;
  HeaderTrust::Kind kind;
  const char* name;
  const char* value;
};
constexpr Chain chains[] = {
    {"no header", HeaderTrust::Kind::x_forwarded_for, "x-forwarded-for", nullptr},
    {"three hops", HeaderTrust::Kind::x_forwarded_for, "x-forwarded-for", "198.51.100.79, 10.1.2.3, 10.4.5.6"},
    {"three hops, IPv6", HeaderTrust::Kind::x_forwarded_for, "x-forwarded-for",
     "2001:db8:1:2:3:4:5:6, fd00:1:2:3::4, fd00:1:2:3::5"},
    {"three hops, Forwarded", HeaderTrust::Kind::forwarded, "forwarded",
     R"(for=198.51.100.79;proto=https, for="[fd00:1:2:3::4]:80", for="10.4.5.6:80";host=shop.example.com)"},
    {"a single address", HeaderTrust::Kind::single_address, "cf-connecting-ip", "2001:db8:1:2:3:4:5:6"},
};

TEST(Allocation, NoneForAClientAndWhatIsToldOfIt) {
  for (const Chain& chain : chains) {
    SCOPED_TRACE(chain.description);
    const HeaderTrust trust = test::trust(chain.kind, chain.name, test::cidrs({"10.0.0.0/8", "fd00::/8"}));
    const PeerInfo peer = test::tcp("10.0.0.1:52110");
    http::HeaderBlock fields;
    fields.append("Host", "shop.example.com");
    if (chain.value) fields.append(chain.name, chain.value);
    ClientAddress client;
    EXPECT_EQ(count([&] { resolve_client_address(peer, fields, trust, client); }), 0u);

    Propagate propagate;
    propagate.forwarded.mode = ListMode::append;
    propagate.x_real_ip = propagate.x_forwarded_proto = true;
    std::string head;
    EXPECT_EQ(count([&] {
                head.clear();
                for (const auto field : fields) keeps_field(field.id, field.name, trust, client, propagate);
                append_identity_fields(head, fields, trust, propagate, {peer, client, "https", "shop.example.com"});
              }),
              0u);
  }
}

TEST(Allocation, NoneForAProxyHeaderThatComesInOnePiece) {
  proxy_protocol::Header header;
  header.command = proxy_protocol::Command::proxy;
  header.source = net::parse_ip_port("198.51.100.79:52110");
  header.destination = net::parse_ip_port("203.0.113.140:80");
  for (const auto version : {proxy_protocol::Version::v1, proxy_protocol::Version::v2}) {
    header.version = version;
    if (version == proxy_protocol::Version::v2) {
      for (const auto type : {0x01, 0x02, 0x05, 0xe0, 0xea}) {
        proxy_protocol::append_tlv(header.tlvs, static_cast<proxy_protocol::TlvType>(type), "0123456789abcdefghij");
      }
    }
    std::string wire;
    ASSERT_TRUE(proxy_protocol::serialize(header, wire, true));
    proxy_protocol::Parser parser;
    EXPECT_EQ(count([&] {
                parser.reset();
                ASSERT_EQ(parser.feed(wire).status, proxy_protocol::Parser::Status::complete);
              }),
              0u);
  }
}

TEST(Allocation, NoneForAClientHelloInOneRecord) {
  const std::string octets = tls::captured::octets(tls::captured::curl_http2);
  EXPECT_EQ(count([&] {
              tls::ClientHelloPeek peek;
              ASSERT_EQ(peek.scan(std::string_view(octets).substr(0, 100)).status,
                        tls::ClientHelloPeek::Status::need_more);
              ASSERT_EQ(peek.scan(octets).status, tls::ClientHelloPeek::Status::done);
            }),
            0u);
}

TEST(Allocation, NoneForARequestHead) {
  const std::string_view octets =
      "GET /a/path?with=query HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: a browser of many words\r\n"
      "Accept: text/html,application/xhtml+xml\r\nX-Forwarded-For: 198.51.100.79, 10.1.2.3, 10.4.5.6\r\n\r\n";
  http1::RequestParser parser;
  http1::RequestHead head;
  std::string out;
  EXPECT_EQ(count([&] {
              parser.start(head, {});
              ASSERT_EQ(parser.feed(octets).status, http1::Status::complete);
              out.clear();
              http1::append_request_line(out, head);
              for (const auto field : head.fields) http1::append_field(out, field.name, field.value);
            }),
            0u);
}

}  // namespace
}  // namespace telltale
