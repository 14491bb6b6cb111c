// propagate.headers and propagate.custom_tlvs.
#include "protocol/proxy_protocol/serializer.h"
#include "protocol/proxy_protocol/tlv.h"
#include "tests/unit/protocol/forwarding/propagate_support.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace telltale::forwarding {
namespace {

using namespace test;

Template compiled(std::string_view text) {
  std::vector<TemplateFault> faults;
  Template out(text, faults);
  EXPECT_TRUE(faults.empty()) << text;
  return out;
}

Propagate with_headers(std::initializer_list<std::pair<const char*, const char*>> headers) {
  Propagate p = none();
  for (const auto& [name, text] : headers) p.headers.push_back({name, compiled(text)});
  return p;
}

TEST(HeaderTemplates, ReplaceWhateverWasReceived) {
  struct Case {
    const char* description;
    Request request;
    Propagate propagate;
    const char* expected;
  };
  const Propagate client = with_headers({{"X-Client", "${client.address}"}});
  const Propagate vpce = with_headers({{"X-Vpce", "${tlv.aws_vpce_id}"}});
  PeerInfo with_tlv = lb;
  proxy_protocol::append_tlv(with_tlv.tlvs, proxy_protocol::TlvType{0xea}, std::string("\x01vpce-1", 7));
  const Case cases[] = {
      {"one that was not received",
       {direct, xff({}), "Accept: */*"},
       client,
       "Accept: */*\r\nX-Client: 198.51.100.7\r\n"},
      {"a forged one goes", {direct, xff({}), "X-Client: 6.6.6.6"}, client, "X-Client: 198.51.100.7\r\n"},
      {"in any case, folded, and on many lines",
       {direct, xff({}), "x-client: 6.6.6.6\nX_CLIENT: 6.6.6.6\nX-Client: 6.6.6.6\nx_client: 6.6.6.6"},
       client,
       "X-Client: 198.51.100.7\r\n"},
      {"a trusted hop's goes too",
       {lb, xff(private_net()), "X-Client: 6.6.6.6\nX-Forwarded-For: 192.0.2.1"},
       client,
       "X-Client: 192.0.2.1\r\n"},
      {"even if it is the header that is believed",
       {lb, single("x-client", private_net()), "X-Client: 192.0.2.1"},
       with_headers({{"X-Client", "${client.address}:${client.port}"}}),
       "X-Client: 192.0.2.1:\r\n"},
      {"a longer name is another one",
       {direct, xff({}), "X-Client-Id: a\nX-Clien: b"},
       client,
       "X-Client-Id: a\r\nX-Clien: b\r\nX-Client: 198.51.100.7\r\n"},
      {"the order is kept",
       {direct, xff({}), ""},
       with_headers({{"X-B", "1"}, {"X-A", "${client.port}"}, {"X-C", "${request.scheme}"}}),
       "X-B: 1\r\nX-A: 5000\r\nX-C: http\r\n"},
      {"an empty value: removed, and none leaves",
       {direct, xff({}), "X-Vpce: vpce-forged\nx_vpce: vpce-forged"},
       vpce,
       ""},
      {"the TLV of the connection", {with_tlv, xff({}), "X-Vpce: vpce-forged"}, vpce, "X-Vpce: vpce-1\r\n"},
      {"a client without an address", {PeerInfo{}, xff({}), "X-Client: 6.6.6.6"}, client, ""},
      {"a name of the registry that nothing else writes",
       {direct, xff({}), "True-Client-IP: 6.6.6.6"},
       with_headers({{"True-Client-IP", "${client.address}"}}),
       "True-Client-IP: 198.51.100.7\r\n"},
  };
  for (const Case& c : cases) EXPECT_EQ(sent(c.request, c.propagate), c.expected) << c.description;
}

TEST(HeaderTemplates, ComeBehindTheOtherFieldsOfOurs) {
  Propagate p = with_headers({{"X-Client", "${client.address}"}});
  p.via = p.x_real_ip = true;
  EXPECT_EQ(sent({direct, xff({}), ""}, p),
            "X-Real-IP: 198.51.100.7\r\nVia: 1.1 telltale\r\nX-Client: 198.51.100.7\r\n");
}

TEST(HeaderTemplates, NoTrailerClaimsOne) {
  const Propagate p = with_headers({{"X-Client", "${client.address}"}});
  HeaderTrust t = xff({});
  t.extra_identity_names = {"x-acme-client"};
  struct Case {
    const char* name;
    bool kept;
  };
  const Case cases[] = {
      {"X-Client", false},          {"x_client", false}, {"X-Acme_Client", false}, {"X-Forwarded-For", false},
      {"X-Telltale-Client", false}, {"X-Other", true},   {"Server-Timing", true},
  };
  for (const Case& c : cases) EXPECT_EQ(keeps_trailer(http::field_id(c.name), c.name, t, p), c.kept) << c.name;
}

// Type and value of each TLV of the header that a connection for this request opens with.
std::vector<std::pair<unsigned, std::string>> tlvs_of(const Propagate& propagate, const PeerInfo& peer,
                                                      const ClientAddress& client) {
  const auto header = make_proxy_header(propagate, {peer, client, "http", "shop.example"});
  std::vector<std::pair<unsigned, std::string>> out;
  for (const auto& tlv : proxy_protocol::TlvRange(header.tlvs)) {
    out.emplace_back(static_cast<unsigned>(tlv.type), std::string(tlv.value));
  }
  return out;
}

TEST(CustomTlvs, HoldTheirTemplatesValue) {
  struct Case {
    const char* description;
    std::vector<std::pair<unsigned, std::string>> templates, expected;
  };
  const Case cases[] = {
      {"one", {{0xe1, "${client.address}"}}, {{0xe1, "192.0.2.1"}}},
      {"in their order, behind the others",
       {{0xef, "b"}, {0xe0, "${destination.port}"}},
       {{0x02, "shop.example"}, {0xef, "b"}, {0xe0, "80"}}},
      {"an empty one is left out", {{0xe1, "${tlv.aws_vpce_id}"}, {0xe2, "x"}}, {{0xe2, "x"}}},
      {"the longest", {{0xe1, std::string(1024, 'a')}}, {{0xe1, std::string(1024, 'a')}}},
      {"one too long is left out, not cut", {{0xe1, std::string(1025, 'a')}, {0xe2, "x"}}, {{0xe2, "x"}}},
  };
  ClientAddress client;
  client.address = net::IpAddress::parse("192.0.2.1");
  for (const Case& c : cases) {
    Propagate p = none();
    p.proxy_protocol = true;
    if (c.expected[0].first == 0x02) p.tlvs = {proxy_protocol::TlvType::authority};
    for (const auto& [type, text] : c.templates) {
      p.custom_tlvs.push_back({static_cast<proxy_protocol::TlvType>(type), compiled(text)});
    }
    EXPECT_EQ(tlvs_of(p, lb, client), c.expected) << c.description;
    p.proxy_version = proxy_protocol::Version::v1;
    EXPECT_TRUE(tlvs_of(p, lb, client).empty()) << c.description;
  }
}

// envoy#13659, caddy#6342: what a connection said of one client is never said of another.
TEST(CustomTlvs, ArePartOfTheIdentity) {
  Propagate p = none();
  p.proxy_protocol = true;
  p.custom_tlvs.push_back({proxy_protocol::TlvType{0xe1}, compiled("${client.provenance}")});
  ClientAddress client;
  client.address = net::IpAddress::parse("192.0.2.1");
  const auto identity = [&] {
    std::string octets;
    EXPECT_TRUE(proxy_protocol::serialize(make_proxy_header(p, {lb, client, "http", "a"}), octets));
    return octets;
  };
  const std::string by_socket = identity();
  EXPECT_EQ(identity(), by_socket);
  client.provenance = Provenance::header;
  EXPECT_NE(identity(), by_socket) << "the same address, but another TLV";
}

TEST(CustomTlvs, ALongHeaderStaysSerialisable) {
  Propagate p = none();
  p.proxy_protocol = true;
  p.tlvs = {proxy_protocol::TlvType::authority};
  const std::string most(max_custom_tlv_size, 'x');
  for (unsigned i = 0; i < 16; ++i) {
    p.custom_tlvs.push_back({static_cast<proxy_protocol::TlvType>(0xe0 + i), compiled(most)});
  }
  ClientAddress client;
  client.address = net::IpAddress::parse("192.0.2.1");
  const std::string host(32 * 1024, 'h');
  std::string octets;
  EXPECT_TRUE(proxy_protocol::serialize(make_proxy_header(p, {lb, client, "http", host}), octets, true));
  EXPECT_GT(octets.size(), 16 * max_custom_tlv_size + host.size());
}

}  // namespace
}  // namespace telltale::forwarding
