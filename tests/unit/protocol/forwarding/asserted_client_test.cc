#include "protocol/forwarding/asserted_client.h"

#include "protocol/forwarding/propagate.h"
#include "protocol/proxy_protocol/serializer.h"
#include "tests/unit/protocol/forwarding/propagate_support.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace telltale::forwarding {
namespace {

using namespace test;
using assertion::Verdict;

constexpr std::int64_t now = 1'763'971'200;
constexpr const char* trusted_key = "edge AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
constexpr const char* foreign_key = "else //////////////////////////////////////////8=";

assertion::Keyring keyring(const char* text) {
  std::string problem;
  return assertion::Keyring(*assertion::KeySet::parse(text, problem));
}

std::string signed_by(const char* key, std::int64_t time, std::string_view client, std::string_view authority) {
  assertion::Keyring keys = keyring(key);
  std::string out;
  EXPECT_TRUE(assertion::append_signed(out, keys, time, node(client), authority));
  return out;
}
const std::string good = signed_by(trusted_key, now - 3, "198.51.100.7:52110", "shop.example.com");

std::optional<Verdict> apply(const http::HeaderBlock& fields, ClientAddress& client) {
  assertion::Keyring keys = keyring(trusted_key);
  return apply_assertion(fields, {.keys = keys, .window = {}, .now = now, .authority = "shop.example.com"}, client);
}

struct Case {
  const char* what;
  PeerInfo peer;
  HeaderTrust trust;
  std::string lines;
  std::optional<Verdict> verdict;
  std::string client;
  Provenance provenance;
  std::vector<RejectReason> rejected;
};

std::vector<Case> believed_cases() {
  const HeaderTrust nobody = xff({});
  const HeaderTrust tens = xff(cidrs({"10.0.0.0/8"}));
  const std::string line = "X-Telltale-Client: " + good;
  using enum Provenance;
  return {
      {"from a peer that is trusted for nothing",
       tcp("203.0.113.50:1"),
       nobody,
       line,
       Verdict::valid,
       "198.51.100.7:52110",
       assertion,
       {}},
      {"above a believed list",
       tcp("10.0.0.1:1"),
       tens,
       line + "\nX-Forwarded-For: 192.0.2.1",
       Verdict::valid,
       "198.51.100.7:52110",
       assertion,
       {}},
      {"above a PROXY header",
       proxied("10.0.0.1:1", "192.0.2.9:9", "203.0.113.1:80"),
       nobody,
       line,
       Verdict::valid,
       "198.51.100.7:52110",
       assertion,
       {}},
      {"from a Unix socket", {}, nobody, line, Verdict::valid, "198.51.100.7:52110", assertion, {}},
      {"in any case",
       tcp("203.0.113.50:1"),
       nobody,
       "x-TELLTALE-client: \t" + good,
       Verdict::valid,
       "198.51.100.7:52110",
       assertion,
       {}},
      {"none", tcp("203.0.113.50:1"), nobody, "Accept: */*", std::nullopt, "203.0.113.50:1", socket, {}},
      {"under an alias, which no signer writes",
       tcp("203.0.113.50:1"),
       nobody,
       "X_Telltale_Client: " + good,
       std::nullopt,
       "203.0.113.50:1",
       socket,
       {}},
  };
}

std::vector<Case> dropped_cases() {
  const HeaderTrust nobody = xff({});
  const HeaderTrust tens = xff(cidrs({"10.0.0.0/8"}));
  const PeerInfo stranger = tcp("203.0.113.50:1");
  const std::string name = "X-Telltale-Client: ";
  std::string forged = good;
  forged.replace(forged.find("198.51.100.7"), 12, "198.51.100.8");
  using enum RejectReason;
  const auto dropped = [&](const char* what, std::string lines, Verdict verdict, RejectReason reason) {
    return Case{what, stranger, nobody, std::move(lines), verdict, "203.0.113.50:1", Provenance::socket, {reason}};
  };
  return {
      dropped("garbage", name + "198.51.100.7", Verdict::malformed, assertion_malformed),
      dropped("empty", name, Verdict::malformed, assertion_malformed),
      dropped("twice", name + good + "\n" + name + good, Verdict::malformed, assertion_malformed),
      dropped("two in one line", name + good + ", " + good, Verdict::malformed, assertion_malformed),
      dropped("another client written over it", name + forged, Verdict::bad_signature, assertion_bad_signature),
      dropped("by a key that is not ours", name + signed_by(foreign_key, now, "198.51.100.7:1", "shop.example.com"),
              Verdict::unknown_key, assertion_unknown_key),
      dropped("for another host", name + signed_by(trusted_key, now, "198.51.100.7:1", "evil.example"),
              Verdict::other_authority, assertion_other_authority),
      dropped("too old", name + signed_by(trusted_key, now - 31, "198.51.100.7:1", "shop.example.com"),
              Verdict::expired, assertion_expired),
      dropped("from the future", name + signed_by(trusted_key, now + 6, "198.51.100.7:1", "shop.example.com"),
              Verdict::not_yet_valid, assertion_not_yet_valid),
      // A client behind a trusted hop cannot hide behind that hop with garbage: the hop's header still speaks.
      {"beside a believed list, which then speaks",
       tcp("10.0.0.1:1"),
       tens,
       name + "garbage\nX-Forwarded-For: 192.0.2.1",
       Verdict::malformed,
       "192.0.2.1:0",
       Provenance::header,
       {assertion_malformed}},
  };
}

void expect(const Case& c) {
  SCOPED_TRACE(c.what);
  const http::HeaderBlock received = fields(c.lines);
  ClientAddress client;
  ASSERT_EQ(resolve_client_address(c.peer, received, c.trust, client), ResolveStatus::ok);
  EXPECT_EQ(apply(received, client), c.verdict);
  ASSERT_TRUE(client.address);
  EXPECT_EQ((net::IpPort{*client.address, client.port}.to_string()), c.client);
  EXPECT_EQ(client.provenance, c.provenance);
  std::vector<RejectReason> reasons;
  for (const Rejected& each : client.rejected) reasons.push_back(each.reason);
  EXPECT_EQ(reasons, c.rejected);
  const Rejected* refusal = assertion_refusal_of(client);
  const bool is_dropped = c.verdict && *c.verdict != Verdict::valid;
  ASSERT_EQ(refusal != nullptr, is_dropped);
  if (is_dropped) {
    EXPECT_EQ(refusal->reason, reason_of(*c.verdict));
  }
  ASSERT_FALSE(client.hops.empty());
  EXPECT_EQ(client.hops.back().verdict, HopVerdict::client);
  for (std::size_t i = 0; i + 1 < client.hops.size(); ++i) EXPECT_EQ(client.hops[i].verdict, HopVerdict::trusted);
}

TEST(AssertedClient, IsBelievedWhoeverBringsIt) {
  for (const Case& c : believed_cases()) expect(c);
}

TEST(AssertedClient, IsDroppedWithItsReason) {
  for (const Case& c : dropped_cases()) expect(c);
}

TEST(AssertedClient, KeepsTheHopsThatBroughtIt) {
  const http::HeaderBlock received = fields("X-Telltale-Client: " + good + "\nX-Forwarded-For: 192.0.2.1, 10.9.9.9");
  ClientAddress client;
  resolve_client_address(proxied("10.0.0.1:1", "10.0.0.2:2", "203.0.113.1:80"), received, xff(cidrs({"10.0.0.0/8"})),
                         client);
  ASSERT_EQ(apply(received, client), Verdict::valid);
  std::vector<Provenance> reported;
  for (const Hop& hop : client.hops) reported.push_back(hop.reported_by);
  EXPECT_EQ(reported, (std::vector{Provenance::socket, Provenance::proxy_protocol, Provenance::assertion}));
}

constexpr std::uint8_t tlv_type = 0xe4;

std::string section(std::initializer_list<std::pair<unsigned, std::string>> tlvs) {
  std::string out;
  for (const auto& [type, value] : tlvs) {
    EXPECT_TRUE(proxy_protocol::append_tlv(out, static_cast<proxy_protocol::TlvType>(type), value));
  }
  return out;
}

PeerInfo bringing(std::string tlvs, std::int64_t came = now) {
  PeerInfo peer = proxied("10.0.0.1:1", "192.0.2.9:9", "203.0.113.1:80");
  peer.has_proxy_header = true;
  peer.tlvs = std::move(tlvs);
  date_assertion(peer, tlv_type, came);
  return peer;
}

TEST(AssertedClient, InATlvIsJudgedByWhenItsConnectionBegan) {
  const auto by = [](const char* key, std::int64_t time, std::string_view host) {
    return section({{0xe4, signed_by(key, time, "198.51.100.7:52110", host)}});
  };
  const std::string valid = section({{0xe4, good}});
  std::string forged = good;
  forged.replace(forged.find("198.51.100.7"), 12, "198.51.100.8");
  const char* const host = "shop.example.com";
  const struct {
    const char* what;
    PeerInfo peer;
    std::optional<Verdict> verdict;
  } rows[] = {
      {"valid", bringing(valid), Verdict::valid},
      {"valid, behind others", bringing(section({{2, "h"}, {0xe3, good}, {0xe4, good}})), Verdict::valid},
      {"it was young when the connection began a day ago",
       bringing(by(trusted_key, now - 86'400 - 30, host), now - 86'400), Verdict::valid},
      {"it was too old then", bringing(by(trusted_key, now - 86'400 - 31, host), now - 86'400), Verdict::expired},
      {"it was from the future then, and is not now", bringing(by(trusted_key, now, host), now - 6),
       Verdict::not_yet_valid},
      {"by a key that is not ours", bringing(by(foreign_key, now, host)), Verdict::unknown_key},
      {"for another host", bringing(by(trusted_key, now, "evil.example")), Verdict::other_authority},
      {"another client written over it", bringing(section({{0xe4, forged}})), Verdict::bad_signature},
      {"empty", bringing(section({{0xe4, ""}})), Verdict::malformed},
      {"a blank before it, which a field may have", bringing(section({{0xe4, " " + good}})), Verdict::malformed},
      {"twice", bringing(section({{0xe4, good}, {0xe4, good}})), Verdict::malformed},
      {"under another type", bringing(section({{0xe3, good}})), std::nullopt},
      {"no TLVs", bringing({}), std::nullopt},
      {"no PROXY header", tcp("10.0.0.1:1"), std::nullopt},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    ClientAddress client;
    resolve_client_address(row.peer, fields(""), xff({}), client);
    const std::string before = client.address->to_string();
    assertion::Keyring keys = keyring(trusted_key);
    const AssertionCheck check{.keys = keys, .window = {}, .now = now, .authority = host};
    EXPECT_EQ(apply_tlv_assertion(row.peer, tlv_type, check, client), row.verdict);
    const bool is_valid = row.verdict == Verdict::valid;
    EXPECT_EQ(client.address->to_string(), is_valid ? "198.51.100.7" : before);
    EXPECT_EQ(client.provenance == Provenance::assertion, is_valid);
    const Rejected* refusal = assertion_refusal_of(client);
    ASSERT_EQ(refusal != nullptr, row.verdict && !is_valid);
    if (refusal != nullptr) {
      EXPECT_EQ(refusal->reason, reason_of(*row.verdict));
    }
    EXPECT_EQ(apply_tlv_assertion(row.peer, 0, check, client), std::nullopt) << "not looked for";
  }
}

TEST(AssertedClient, IsDatedOnceAndOnlyWhereItCame) {
  PeerInfo peer = bringing(section({{0xe4, good}}), 1000);
  EXPECT_EQ(peer.assertion_came, 1000U);
  date_assertion(peer, tlv_type, 2000);
  EXPECT_EQ(peer.assertion_came, 1000U);
  EXPECT_EQ(bringing(section({{0xe3, good}})).assertion_came, 0U);
  PeerInfo unasked = tcp("10.0.0.1:1");
  unasked.tlvs = section({{0, good}});
  date_assertion(unasked, 0, 1000);
  EXPECT_EQ(unasked.assertion_came, 0U) << "0 is no type";
  EXPECT_LE(sizeof(PeerInfo), 8 + sizeof(PeerInfo::tlvs) + sizeof(PeerInfo::proxy_hops) + 4 * sizeof(peer.socket_peer))
      << "no idle connection grows for it";
}

TEST(AssertedClient, IsWrittenOverForPeople) {
  std::string tlvs = section({{2, "h"}, {0xe4, "secret"}, {0xe4, ""}, {0xe3, "open"}});
  blank_assertion(tlvs, 0);
  EXPECT_EQ(tlvs, section({{2, "h"}, {0xe4, "secret"}, {0xe4, ""}, {0xe3, "open"}}));
  blank_assertion(tlvs, tlv_type);
  EXPECT_EQ(tlvs, section({{2, "h"}, {0xe4, "******"}, {0xe4, ""}, {0xe3, "open"}}));
}

TEST(AssertedClient, OfThePROXYHeaderBesideItIsToldOnce) {
  const struct {
    const char* what;
    const char* source;
    const char* x_forwarded_for;
    const char* forwarded;
  } rows[] = {
      {"the signer's header names the same client", "198.51.100.7:52110", "198.51.100.7",
       "for=198.51.100.7;proto=http"},
      {"it came through another hop", "192.0.2.9:9", "198.51.100.7, 192.0.2.9",
       "for=198.51.100.7, for=192.0.2.9;proto=http"},
  };
  for (const auto& row : rows) {
    PeerInfo peer = proxied("10.0.0.1:1", row.source, "203.0.113.1:80");
    ClientAddress client;
    const http::HeaderBlock received = fields("");
    resolve_client_address(peer, received, xff({}), client);
    believe_assertion(node("198.51.100.7:52110"), client);
    Propagate propagate = none();
    propagate.x_forwarded_for = propagate.forwarded.mode = ListMode::append;
    std::string out;
    append_identity_fields(out, received, xff({}), propagate,
                           {.peer = peer, .client = client, .scheme = "http", .host = "shop.example.com"});
    EXPECT_EQ(out, std::string("X-Forwarded-For: ") + row.x_forwarded_for + "\r\nForwarded: " + row.forwarded + "\r\n")
        << row.what;
  }
}

// What the backend is told of an asserted client.
std::string told(const char* lines, const HeaderTrust& trust, const Propagate& propagate) {
  const http::HeaderBlock received = fields("X-Telltale-Client: " + good + lines);
  const PeerInfo peer = tcp("10.0.0.1:1");
  ClientAddress client;
  resolve_client_address(peer, received, trust, client);
  EXPECT_EQ(apply(received, client), Verdict::valid);
  std::string out;
  for (const http::HeaderBlock::Field field : received) {
    if (keeps_field(field.id, field.name, trust, client, propagate)) out.append(field.name).append("\r\n");
  }
  append_identity_fields(out, received, trust, propagate,
                         {.peer = peer, .client = client, .scheme = "http", .host = "shop.example.com"});
  return out;
}

TEST(AssertedClient, IsToldInsteadOfTheListThatCameWithIt) {
  const HeaderTrust tens = xff(cidrs({"10.0.0.0/8"}));
  Propagate append;
  append.via = false;
  EXPECT_EQ(told("", xff({}), append), "X-Forwarded-For: 198.51.100.7, 10.0.0.1\r\n");
  EXPECT_EQ(told("\nX-Forwarded-For: 192.0.2.66", tens, append), "X-Forwarded-For: 198.51.100.7, 10.0.0.1\r\n");
  Propagate replace = append;
  replace.x_forwarded_for = ListMode::replace;
  EXPECT_EQ(told("\nX-Forwarded-For: 192.0.2.66", tens, replace), "X-Forwarded-For: 198.51.100.7\r\n");
  Propagate rfc7239 = none();
  rfc7239.forwarded.mode = ListMode::append;
  rfc7239.forwarded.ports = true;
  EXPECT_EQ(told("\nForwarded: for=192.0.2.66", forwarded(cidrs({"10.0.0.0/8"})), rfc7239),
            "Forwarded: for=\"198.51.100.7:52110\", for=\"10.0.0.1:1\";proto=http\r\n");
  EXPECT_EQ(told("\nCF-Connecting-IP: 192.0.2.66", single("cf-connecting-ip", cidrs({"10.0.0.0/8"})), none()), "");
}

TEST(AssertedClient, GoesOutAsOneLine) {
  const PeerInfo peer = tcp("198.51.100.7:52110");
  const http::HeaderBlock received = fields("Accept: */*");
  ClientAddress client;
  resolve_client_address(peer, received, xff({}), client);
  Propagate propagate = none();
  RequestFacts facts{.peer = peer, .client = client, .scheme = "http", .host = "shop.example.com", .assertion = good};
  std::string out;
  append_identity_fields(out, received, xff({}), propagate, facts);
  EXPECT_EQ(out, "") << "nobody asked for it";
  propagate.assertion.emplace();
  append_identity_fields(out, received, xff({}), propagate, facts);
  EXPECT_EQ(out, "X-Telltale-Client: " + good + "\r\n");
  out.clear();
  facts.assertion = {};
  append_identity_fields(out, received, xff({}), propagate, facts);
  EXPECT_EQ(out, "") << "nothing was signed";
}

}  // namespace
}  // namespace telltale::forwarding
