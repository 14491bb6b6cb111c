#include "proxy/routing/condition_table.h"

#include "protocol/proxy_protocol/serializer.h"
#include "protocol/proxy_protocol/tlv_names.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

using Of = conf::ConnectionTrait::Of;

conf::Condition tlv_is(std::string_view name, std::string octets) {
  return {{.of = Of::tlv, .selector = proxy_protocol::parse_tlv_selector(name).value()}, std::move(octets)};
}

/// Routes by name, and what matches them.
class Table {
 public:
  explicit Table(std::vector<std::pair<std::string, std::vector<conf::Condition>>> routes) {
    for (auto& [name, conditions] : routes) {
      conf::Route& route = routes_.emplace_back();
      route.name = name;
      route.match.conditions = std::move(conditions);
      std::ranges::sort(route.match.conditions, {}, &conf::Condition::trait);
    }
    std::vector<const conf::Route*> pointers;
    for (const conf::Route& route : routes_) pointers.push_back(&route);
    table_.emplace(pointers);
  }
  std::string match(const ConnectionTraits& connection) const {
    const conf::Route* route = table_->match(connection);
    return route != nullptr ? route->name : "-";
  }
  std::string match(const forwarding::TlsFacts& tls, std::string_view tlvs = {}) const { return match({tlvs, &tls}); }

 private:
  std::vector<conf::Route> routes_;
  std::optional<ConditionTable> table_;
};

const forwarding::ClientCertificate shop{.subject = "CN=shop,O=Example",
                                         .fingerprint = std::string(64, 'a'),
                                         .sans = {"DNS:a.example", "DNS:b.example", "URI:spiffe://x/shop"}};
const forwarding::ClientCertificate nobody{.subject = "CN=nobody"};
const forwarding::TlsFacts with_shop{.alpn = "h2", .client_cert = &shop};
const forwarding::TlsFacts with_nobody{.client_cert = &nobody};
const forwarding::TlsFacts with_none{.alpn = "http/1.1"};

TEST(ConditionTable, OfACertificate) {
  const Table table({{"subject", {{{Of::client_cert_subject}, "CN=shop,O=Example"}}},
                     {"none", {{{Of::client_cert_verified}, "false"}}},
                     {"any", {{{Of::client_cert_verified}, "true"}}}});
  EXPECT_EQ(table.match(with_shop), "subject") << "the first of the file, as both ask for one thing";
  EXPECT_EQ(table.match(with_nobody), "any");
  EXPECT_EQ(table.match(with_none), "none");
  EXPECT_EQ(table.match(ConnectionTraits{}), "none") << "no TLS is no certificate";
  const Table fingerprint({{"it", {{{Of::client_cert_fingerprint}, shop.fingerprint}}}});
  EXPECT_EQ(fingerprint.match(with_shop), "it");
  EXPECT_EQ(fingerprint.match(with_nobody), "-");
  EXPECT_EQ(fingerprint.match(with_none), "-");
  EXPECT_EQ(fingerprint.match(ConnectionTraits{}), "-");
}

TEST(ConditionTable, OneOfSeveralAlternativeNames) {
  const Table table({{"b", {{{Of::client_cert_san}, "DNS:b.example"}}},
                     {"uri", {{{Of::client_cert_san}, "URI:spiffe://x/shop"}}},
                     {"a", {{{Of::client_cert_san}, "DNS:a.example"}}},
                     {"other", {{{Of::client_cert_san}, "DNS:c.example"}}}});
  EXPECT_EQ(table.match(with_shop), "b") << "of several that match, the first of the file";
  EXPECT_EQ(table.match(with_nobody), "-");
  EXPECT_EQ(table.match(with_none), "-");
  const Table kinds({{"dns", {{{Of::client_cert_san}, "DNS:spiffe://x/shop"}}}});
  EXPECT_EQ(kinds.match(with_shop), "-") << "of another kind";
}

TEST(ConditionTable, MoreThatIsAskedForGoesFirst) {
  const Table table(
      {{"subject", {{{Of::client_cert_subject}, shop.subject}}},
       {"both", {{{Of::client_cert_subject}, shop.subject}, {{Of::client_cert_san}, "DNS:b.example"}}},
       {"wrong", {{{Of::client_cert_subject}, "CN=x"}, {{Of::client_cert_san}, "DNS:a.example"}}},
       {"all",
        {{{Of::client_cert_subject}, shop.subject}, {{Of::client_cert_san}, "DNS:a.example"}, {{Of::alpn}, "h2"}}}});
  EXPECT_EQ(table.match(with_shop), "all");
  forwarding::TlsFacts other = with_shop;
  other.alpn = "http/1.1";
  EXPECT_EQ(table.match(other), "both");
  forwarding::ClientCertificate renamed = shop;
  renamed.sans.clear();
  other.client_cert = &renamed;
  EXPECT_EQ(table.match(other), "subject");
}

TEST(ConditionTable, BesideTlvs) {
  std::string tlvs;
  ASSERT_TRUE(proxy_protocol::append_tlv(tlvs, proxy_protocol::TlvType::authority, "x"));
  const Table table({{"both", {tlv_is("authority", "x"), {{Of::client_cert_verified}, "true"}}},
                     {"tlv", {tlv_is("authority", "x")}}});
  EXPECT_EQ(table.match(with_shop, tlvs), "both");
  EXPECT_EQ(table.match(with_none, tlvs), "tlv");
  EXPECT_EQ(table.match(ConnectionTraits{tlvs, nullptr}), "tlv");
  EXPECT_EQ(table.match(with_shop), "-");
}

/// The extension of a ClientHello behind its type and length (RFC 7301 3.1).
std::string offer(std::initializer_list<std::string_view> names) {
  std::string list;
  for (const std::string_view name : names) list.append(1, static_cast<char>(name.size())).append(name);
  return list;
}

TEST(ConditionTable, AnAlpnThatWasAgreedOnOrOneOfThoseOffered) {
  const Table table({{"h2", {{{Of::alpn}, "h2"}}}, {"h1", {{{Of::alpn}, "http/1.1"}}}});
  EXPECT_EQ(table.match(with_shop), "h2");
  EXPECT_EQ(table.match(with_none), "h1");
  EXPECT_EQ(table.match(forwarding::TlsFacts{}), "-");
  EXPECT_EQ(table.match(ConnectionTraits{}), "-");
  const std::string names = offer({"x", "http/1.1", "h2"});
  forwarding::TlsFacts passed{.terminated = false};
  passed.offered_alpn = tls::AlpnProtocols::parse(names).value();
  EXPECT_EQ(table.match(passed), "h2") << "the first of the file, not of the client";
  passed.offered_alpn = {};
  EXPECT_EQ(table.match(passed), "-");
}

}  // namespace
}  // namespace telltale::proxy
