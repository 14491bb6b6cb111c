#include "protocol/forwarding/client_address.h"

#include "protocol/forwarding/errors.h"
#include "tests/unit/protocol/forwarding/client_address_support.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace telltale::forwarding {
namespace {

using namespace test;

TEST(ClientAddress, LayersOneAndTwo) {
  PeerInfo local_command = tcp("10.0.0.1:1000");
  local_command.has_proxy_header = true;
  PeerInfo unix_proxied = unix_peer();
  unix_proxied.has_proxy_header = true;
  unix_proxied.proxy_source = node("198.51.100.7:5000");
  const Case cases[] = {
      {"the socket's peer", tcp("198.51.100.7:5000"), xff({}), "", "198.51.100.7 5000 socket", "198.51.100.7!", ""},
      {"CVE-2024-24790: a mapped peer is its IPv4 address", tcp("[::ffff:198.51.100.7]:5000"), xff({}), "",
       "198.51.100.7 5000 socket", "198.51.100.7!", ""},
      {"the PROXY header's source", proxied("10.0.0.1:1000", "198.51.100.7:5000", "203.0.113.9:443"), xff({}), "",
       "198.51.100.7 5000 proxy_protocol", "10.0.0.1 > 198.51.100.7!", ""},
      {"CVE-2024-23327: LOCAL names nobody, the socket stands", local_command, xff({}), "", "10.0.0.1 1000 socket",
       "10.0.0.1!", ""},
      {"a Unix peer has no address", unix_peer(), xff({}), "", "none 0 socket", "", ""},
      {"a Unix peer with a PROXY header", unix_proxied, xff({}), "", "198.51.100.7 5000 proxy_protocol",
       "198.51.100.7!", ""},
  };
  for (const Case& c : cases) check(c);
}

TEST(ClientAddress, BelievesAHeaderFromTrustedHopsOnly) {
  const Case cases[] = {
      {"CVE-2024-45806: nobody is trusted by default, loopback and private ranges neither", tcp("127.0.0.1:1"),
       HeaderTrust{}, "X-Forwarded-For: 192.0.2.1", "127.0.0.1 1 socket", "127.0.0.1!", "192.0.2.1=peer_not_trusted"},
      {"CVE-2024-45806: a private peer", tcp("10.1.2.3:1"), HeaderTrust{}, "X-Forwarded-For: 192.0.2.1",
       "10.1.2.3 1 socket", "10.1.2.3!", "192.0.2.1=peer_not_trusted"},
      {"an untrusted peer's forged list, every line said", tcp("198.51.100.7:5"), xff(cidrs({"10.0.0.0/8"})),
       "X-Forwarded-For: 192.0.2.1, 10.0.0.1\nX-Forwarded-For: 192.0.2.2", "198.51.100.7 5 socket", "198.51.100.7!",
       "192.0.2.1, 10.0.0.1=peer_not_trusted, 192.0.2.2=peer_not_trusted"},
      {"CVE-2024-24790: a mapped peer is in the IPv4 range", tcp("[::ffff:10.0.0.1]:5"), xff(cidrs({"10.0.0.0/8"})),
       "X-Forwarded-For: 192.0.2.1", "192.0.2.1 0 header", "10.0.0.1 > 192.0.2.1!", ""},
      {"CVE-2024-24790: a mapped range holds the IPv4 peer", tcp("10.0.0.1:5"), xff(cidrs({"::ffff:10.0.0.0/104"})),
       "X-Forwarded-For: 192.0.2.1", "192.0.2.1 0 header", "10.0.0.1 > 192.0.2.1!", ""},
      {"CVE-2024-24790: a trusted entry in mapped form is stepped over", tcp("10.0.0.1:5"), xff(cidrs({"10.0.0.0/8"})),
       "X-Forwarded-For: 192.0.2.1, ::ffff:10.0.0.2", "192.0.2.1 0 header", "10.0.0.1 > 10.0.0.2 > 192.0.2.1!", ""},
      {"the PROXY source, not the socket, is the hop: untrusted",
       proxied("10.0.0.1:1", "198.51.100.7:5", "203.0.113.1:80"), xff(cidrs({"10.0.0.0/8"})),
       "X-Forwarded-For: 192.0.2.1", "198.51.100.7 5 proxy_protocol", "10.0.0.1 > 198.51.100.7!",
       "192.0.2.1=peer_not_trusted"},
      {"the PROXY source is a trusted CDN", proxied("10.0.0.1:1", "198.51.100.7:5", "203.0.113.1:80"),
       xff(cidrs({"198.51.100.0/24"})), "X-Forwarded-For: 192.0.2.1", "192.0.2.1 0 header",
       "10.0.0.1 > 198.51.100.7 > 192.0.2.1!", ""},
      {"a Unix peer that is trusted", unix_peer(), xff(cidrs({}, true)), "X-Forwarded-For: 192.0.2.1:7",
       "192.0.2.1 7 header", "192.0.2.1!", ""},
      {"a Unix peer that is not", unix_peer(), xff(cidrs({any_v4, "::/0"})), "X-Forwarded-For: 192.0.2.1",
       "none 0 socket", "", "192.0.2.1=peer_not_trusted"},
      {"no header is believed at all", tcp("10.0.0.1:5"),
       trust(HeaderTrust::Kind::none, "x-forwarded-for", cidrs({any_v4})), "X-Forwarded-For: 192.0.2.1",
       "10.0.0.1 5 socket", "10.0.0.1!", ""},
      {"another header than the configured one says nothing", tcp("10.0.0.1:5"), forwarded(cidrs({any_v4})),
       "X-Forwarded-For: 192.0.2.1\nX-Real-IP: 192.0.2.2", "10.0.0.1 5 socket", "10.0.0.1!", ""},
  };
  for (const Case& c : cases) check(c);
}

// CDN -> network load balancer that sends PROXY -> us: each layer is asked only if the one before it led to somebody
// who is trusted for it.
TEST(ClientAddress, EveryLayerIsCheckedAgainstItsOwnRanges) {
  const char* const nlb = "10.0.0.5:1000";
  const char* const cdn = "173.245.48.9:2000";
  const auto cdn_only = [] { return cidrs({"173.245.48.0/20"}); };
  PeerInfo chain = proxied(nlb, cdn, "203.0.113.1:443");
  PeerInfo two_headers = chain;
  two_headers.proxy_hops = {node("192.0.2.200:3000")};
  PeerInfo local = tcp(nlb);
  local.has_proxy_header = true;
  const Case cases[] = {
      {"the CDN's header, found behind the balancer's PROXY header", chain, single("cf-connecting-ip", cdn_only()),
       "CF-Connecting-IP: 198.51.100.7", "198.51.100.7 0 header", "10.0.0.5 > 173.245.48.9 > 198.51.100.7!", ""},
      {"a list that the CDN wrote", chain, xff(cdn_only()), "X-Forwarded-For: 203.0.113.66, 198.51.100.7",
       "198.51.100.7 0 header", "10.0.0.5 > 173.245.48.9 > 198.51.100.7!", "203.0.113.66=beyond_client"},
      {"who goes round the CDN is the client and its header a forgery",
       proxied(nlb, "198.51.100.66:2000", "203.0.113.1:443"), single("cf-connecting-ip", cdn_only()),
       "CF-Connecting-IP: 192.0.2.1", "198.51.100.66 2000 proxy_protocol", "10.0.0.5 > 198.51.100.66!",
       "192.0.2.1=peer_not_trusted"},
      {"trusting the balancer does not make its clients' header believed", chain, xff(cidrs({"10.0.0.0/16"})),
       "X-Forwarded-For: 192.0.2.1", "173.245.48.9 2000 proxy_protocol", "10.0.0.5 > 173.245.48.9!",
       "192.0.2.1=peer_not_trusted"},
      {"a client of the balancer inside the trusted range is a trusted hop",
       proxied(nlb, "10.0.7.7:2000", "10.0.0.9:80"), xff(cidrs({"10.0.0.0/16"})), "X-Forwarded-For: 192.0.2.1",
       "192.0.2.1 0 header", "10.0.0.5 > 10.0.7.7 > 192.0.2.1!", ""},
      {"LOCAL: the balancer speaks for itself, and the CDN's ranges do not hold it", local,
       single("cf-connecting-ip", cdn_only()), "CF-Connecting-IP: 192.0.2.1", "10.0.0.5 1000 socket", "10.0.0.5!",
       "192.0.2.1=peer_not_trusted"},
      {"two PROXY headers, then the header: every hop is there", two_headers, single("cf-connecting-ip", cdn_only()),
       "CF-Connecting-IP: 198.51.100.7", "198.51.100.7 0 header",
       "10.0.0.5 > 192.0.2.200 > 173.245.48.9 > 198.51.100.7!", ""},
      {"two PROXY headers: the last one's hop must be trusted, not the first one's", two_headers,
       xff(cidrs({"192.0.2.0/24", "10.0.0.0/16"})), "X-Forwarded-For: 198.51.100.7", "173.245.48.9 2000 proxy_protocol",
       "10.0.0.5 > 192.0.2.200 > 173.245.48.9!", "198.51.100.7=peer_not_trusted"},
      {"trusted hops count behind PROXY as well", chain, xff(cdn_only(), 2),
       "X-Forwarded-For: 203.0.113.66, 198.51.100.7, 203.0.113.1", "198.51.100.7 0 header",
       "10.0.0.5 > 173.245.48.9 > 203.0.113.1 > 198.51.100.7!", "203.0.113.66=beyond_client"},
  };
  for (const Case& c : cases) check(c);
}

TEST(ClientAddress, OnInvalidChoosesBetweenStopAndReject) {
  struct InvalidCase {
    const char* description;
    HeaderTrust trust;
    const char* lines;
    const char* stopped;  // the client with `stop`
    const char* refused;  // the first refusal, empty: fine either way
    boost::system::error_code error;
  };
  const auto ours = [] { return cidrs({"10.0.0.0/8"}); };
  const auto no_address = make_error_code(Error::not_an_address);
  const auto malformed = make_error_code(Error::malformed);
  const InvalidCase cases[] = {
      {"an address", xff(ours()), "X-Forwarded-For: 192.0.2.1", "192.0.2.1 0 header", "", {}},
      {"no header", xff(ours()), "", "10.0.0.1 5 socket", "", {}},
      {"an empty header", xff(ours()), "X-Forwarded-For: ", "10.0.0.1 5 socket", "", {}},
      {"garbage beyond the client is nobody's fault",
       xff(ours()),
       "X-Forwarded-For: unknown, 192.0.2.1",
       "192.0.2.1 0 header",
       "",
       {}},
      {"unknown", xff(ours()), "X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.2", "10.0.0.2 0 header",
       "unknown=not_an_address", no_address},
      {"garbage", xff(ours()), "X-Forwarded-For: <x>", "10.0.0.1 5 socket", "<x>=not_an_address", no_address},
      {"a zone id", xff(ours()), "X-Forwarded-For: fe80::1%1", "10.0.0.1 5 socket", "fe80::1%1=not_an_address",
       no_address},
      {"among counted hops", xff(ours(), 2), "X-Forwarded-For: unknown, 192.0.2.1", "192.0.2.1 0 header",
       "unknown=not_an_address", no_address},
      {"Forwarded without for", forwarded(ours()), "Forwarded: proto=http", "10.0.0.1 5 socket",
       "proto=http=not_an_address", no_address},
      {"Forwarded with an obfuscated node", forwarded(ours()), "Forwarded: for=_gazonk", "10.0.0.1 5 socket",
       "for=_gazonk=not_an_address", no_address},
      {"Forwarded that cannot be parsed", forwarded(ours()), "Forwarded: for=\"192.0.2.1", "10.0.0.1 5 socket",
       "for=\"192.0.2.1=malformed", malformed},
      {"a single address that is none", single("x-real-ip", ours()), "X-Real-IP: localhost", "10.0.0.1 5 socket",
       "localhost=not_an_address", no_address},
      {"a single address twice", single("x-real-ip", ours()), "X-Real-IP: 192.0.2.1\nX-Real-IP: 192.0.2.2",
       "10.0.0.1 5 socket", "192.0.2.2=malformed", malformed},
  };
  for (const InvalidCase& c : cases) {
    SCOPED_TRACE(c.description);
    ClientAddress result;
    HeaderTrust trust = c.trust;
    EXPECT_EQ(resolve_client_address(tcp("10.0.0.1:5"), fields(c.lines), trust, result), ResolveStatus::ok);
    EXPECT_EQ(client_of(result), c.stopped);
    trust.on_invalid = OnInvalid::reject;
    const ResolveStatus status = resolve_client_address(tcp("10.0.0.1:5"), fields(c.lines), trust, result);
    const Rejected* refusal = refusal_of(result);
    EXPECT_EQ(refusal ? refusal->token + "=" + std::string(to_string(refusal->reason)) : "", c.refused);
    if (*c.refused == '\0') {
      EXPECT_EQ(status, ResolveStatus::ok);
    } else {
      EXPECT_EQ(status, ResolveStatus::invalid);
      EXPECT_EQ(client_of(result), "10.0.0.1 5 socket") << "what layers 1 and 2 say";
      EXPECT_EQ(error_of(result), c.error);
      EXPECT_FALSE(c.error.message().empty());
    }
  }
  // What is not believed cannot be refused for its form.
  ClientAddress result;
  HeaderTrust trust = xff(ours());
  trust.on_invalid = OnInvalid::reject;
  EXPECT_EQ(resolve_client_address(tcp("198.51.100.7:5"), fields("X-Forwarded-For: <x>"), trust, result),
            ResolveStatus::ok);
  EXPECT_EQ(rejected_of(result), "<x>=peer_not_trusted");
}

TEST(ClientAddress, SaysWhetherTheHeaderOfTheHopIsBelieved) {
  ClientAddress result;
  resolve_client_address(tcp("10.0.0.1:1"), {}, xff(cidrs({"10.0.0.0/8"})), result);
  EXPECT_TRUE(result.header_believed) << "even when there is none: its siblings depend on it";
  resolve_client_address(tcp("192.0.2.1:1"), {}, xff(cidrs({"10.0.0.0/8"})), result);
  EXPECT_FALSE(result.header_believed);
  resolve_client_address(tcp("10.0.0.1:1"), {}, trust(HeaderTrust::Kind::none, "", cidrs({any_v4})), result);
  EXPECT_FALSE(result.header_believed);
}

TEST(ClientAddress, CountsTrustedHopsFromTheRight) {
  const PeerInfo lb = tcp("10.0.0.1:5");
  const auto peers = [] { return cidrs({"10.0.0.1/32"}); };
  const char* const three = "X-Forwarded-For: 203.0.113.99, 192.0.2.1, 198.51.100.2";
  const Case cases[] = {
      {"one hop wrote the list: its entry", lb, xff(peers(), 1), three, "198.51.100.2 0 header",
       "10.0.0.1 > 198.51.100.2!", "192.0.2.1=beyond_client, 203.0.113.99=beyond_client"},
      {"two hops: the second from the right", lb, xff(peers(), 2), three, "192.0.2.1 0 header",
       "10.0.0.1 > 198.51.100.2 > 192.0.2.1!", "203.0.113.99=beyond_client"},
      {"a shorter list was written by trusted hops alone", lb, xff(peers(), 5), three, "203.0.113.99 0 header",
       "10.0.0.1 > 198.51.100.2 > 192.0.2.1 > 203.0.113.99!", ""},
      {"CIDRs do not matter for the entries", lb, xff(cidrs({any_v4}), 2), three, "192.0.2.1 0 header",
       "10.0.0.1 > 198.51.100.2 > 192.0.2.1!", "203.0.113.99=beyond_client"},
      {"the peer must be trusted all the same", tcp("198.51.100.7:5"), xff(peers(), 2), "X-Forwarded-For: 192.0.2.1",
       "198.51.100.7 5 socket", "198.51.100.7!", "192.0.2.1=peer_not_trusted"},
      {"a bad token among the counted ends the walk", lb, xff(peers(), 3),
       "X-Forwarded-For: 192.0.2.1, unknown, 198.51.100.2", "198.51.100.2 0 header", "10.0.0.1 > 198.51.100.2!",
       "unknown=not_an_address"},
      {"Forwarded counts too", lb, forwarded(peers(), 2),
       "Forwarded: for=203.0.113.99, for=192.0.2.1, for=198.51.100.2", "192.0.2.1 0 header",
       "10.0.0.1 > 198.51.100.2 > 192.0.2.1!", "for=203.0.113.99=beyond_client"},
  };
  for (const Case& c : cases) check(c);
}

TEST(ClientAddress, ReadsASingleAddressHeader) {
  const PeerInfo cdn = tcp("10.0.0.1:5");
  const auto peers = [] { return cidrs({"10.0.0.0/8"}); };
  const Case cases[] = {
      {"a known name", cdn, single("cf-connecting-ip", peers()), "CF-Connecting-IP: 192.0.2.1", "192.0.2.1 0 header",
       "10.0.0.1 > 192.0.2.1!", ""},
      {"x-real-ip, with a port", cdn, single("x-real-ip", peers()), "X-Real-IP: [2001:db8::1]:80",
       "2001:db8::1 80 header", "10.0.0.1 > 2001:db8::1!", ""},
      {"a name of one's own", cdn, single("x-acme-client", peers()), "Accept: */*\nX-ACME-Client: 192.0.2.1",
       "192.0.2.1 0 header", "10.0.0.1 > 192.0.2.1!", ""},
      {"a name of one's own with an underscore", cdn, single("x_acme", peers()),
       "X-Acme: 203.0.113.99\nX_Acme: 192.0.2.1", "192.0.2.1 0 header", "10.0.0.1 > 192.0.2.1!", ""},
      {"one of a family", cdn, single("x-forwarded-tls-client", peers()),
       "X-Forwarded-Tls-Other: 203.0.113.99\nX-Forwarded-Tls-Client: 192.0.2.1", "192.0.2.1 0 header",
       "10.0.0.1 > 192.0.2.1!", ""},
      {"the address itself may be in a trusted range", cdn, single("true-client-ip", peers()),
       "True-Client-IP: 10.0.0.9", "10.0.0.9 0 header", "10.0.0.1 > 10.0.0.9!", ""},
      {"GHSA-5m6w-wvh7-57vm: an alias is not read", cdn, single("x-acme-client", peers()),
       "X_Acme_Client: 203.0.113.99\nX-Acme-Client: 192.0.2.1", "192.0.2.1 0 header", "10.0.0.1 > 192.0.2.1!", ""},
      {"two lines: nobody can say which the hop wrote", cdn, single("x-real-ip", peers()),
       "X-Real-IP: 203.0.113.99\nX-Real-IP: 192.0.2.1", "10.0.0.1 5 socket", "10.0.0.1!", "192.0.2.1=malformed"},
      {"a list is not an address", cdn, single("x-real-ip", peers()), "X-Real-IP: 203.0.113.99, 192.0.2.1",
       "10.0.0.1 5 socket", "10.0.0.1!", "203.0.113.99, 192.0.2.1=not_an_address"},
      {"garbage", cdn, single("x-real-ip", peers()), "X-Real-IP: localhost", "10.0.0.1 5 socket", "10.0.0.1!",
       "localhost=not_an_address"},
      {"empty", cdn, single("x-real-ip", peers()), "X-Real-IP: ", "10.0.0.1 5 socket", "10.0.0.1!", "=not_an_address"},
      {"absent", cdn, single("x-real-ip", peers()), "X-Forwarded-For: 203.0.113.99", "10.0.0.1 5 socket", "10.0.0.1!",
       ""},
      {"untrusted", tcp("198.51.100.7:5"), single("x-real-ip", peers()), "X-Real-IP: 192.0.2.1",
       "198.51.100.7 5 socket", "198.51.100.7!", "192.0.2.1=peer_not_trusted"},
  };
  for (const Case& c : cases) check(c);
}

std::string repeated(std::string_view element, std::size_t n, std::string_view separator = ", ") {
  std::string out;
  for (std::size_t i = 0; i < n; ++i) out.append(i ? separator : "").append(element);
  return out;
}

TEST(ClientAddress, BoundsTheBelievedList) {
  const std::string junk(max_list_octets, 'x');
  struct BoundCase {
    const char* description;
    std::string lines;
    ResolveStatus status;
  };
  const BoundCase cases[] = {
      {"64 entries", "X-Forwarded-For: " + repeated("192.0.2.1", 64), ResolveStatus::ok},
      {"65 entries", "X-Forwarded-For: " + repeated("192.0.2.1", 65), ResolveStatus::list_too_long},
      {"65 entries, all of trusted hops", "X-Forwarded-For: " + repeated("10.0.0.2", 65), ResolveStatus::list_too_long},
      {"65 entries behind a bad token", "X-Forwarded-For: " + repeated("192.0.2.1", 64) + ", unknown",
       ResolveStatus::list_too_long},
      {"65 lines", repeated("X-Forwarded-For: 192.0.2.1", 65, "\n"), ResolveStatus::list_too_long},
      {"64 lines", repeated("X-Forwarded-For: 192.0.2.1", 64, "\n"), ResolveStatus::ok},
      {"empty elements are not entries", "X-Forwarded-For: 192.0.2.1" + repeated(",", 1000, ""), ResolveStatus::ok},
      {"8 KiB exactly", "X-Forwarded-For: " + junk, ResolveStatus::ok},
      {"8 KiB and one octet", "X-Forwarded-For: x" + junk, ResolveStatus::list_too_long},
      {"8 KiB in two lines, with their separator", "X-Forwarded-For: x\nX-Forwarded-For: " + junk.substr(3),
       ResolveStatus::ok},
      {"8 KiB and one octet in two lines", "X-Forwarded-For: x\nX-Forwarded-For: " + junk.substr(2),
       ResolveStatus::list_too_long},
      {"9,000 commas", "X-Forwarded-For: " + repeated(",", 9000, ""), ResolveStatus::list_too_long},
  };
  for (const BoundCase& c : cases) {
    ClientAddress result;
    EXPECT_EQ(resolve_client_address(tcp("10.0.0.1:5"), fields(c.lines), xff(cidrs({"10.0.0.0/8"})), result), c.status)
        << c.description;
    if (c.status == ResolveStatus::list_too_long) {
      EXPECT_EQ(client_of(result), "10.0.0.1 5 socket") << c.description;
      EXPECT_EQ(hops_of(result), "10.0.0.1!") << c.description;
      EXPECT_EQ(rejected_of(result), "=list_too_long") << c.description;
      EXPECT_EQ(error_of(result), make_error_code(Error::list_too_long)) << c.description;
    }
  }
}

TEST(ClientAddress, BoundsForwardedToo) {
  ClientAddress result;
  const HeaderTrust trusted = forwarded(cidrs({"10.0.0.0/8"}));
  const PeerInfo lb = tcp("10.0.0.1:5");
  EXPECT_EQ(resolve_client_address(lb, fields("Forwarded: " + repeated("for=_x", 64)), trusted, result),
            ResolveStatus::ok);
  EXPECT_EQ(resolve_client_address(lb, fields("Forwarded: " + repeated("for=_x", 65)), trusted, result),
            ResolveStatus::list_too_long);
  EXPECT_EQ(
      resolve_client_address(lb, fields("Forwarded: for=_x;host=\"" + repeated(",", 500) + "\""), trusted, result),
      ResolveStatus::ok)
      << "commas in quotes are not entries";
  const std::string backslashes = "Forwarded: host=\"" + repeated("\\\"", 4000, "") + "\"";
  EXPECT_EQ(resolve_client_address(lb, fields(backslashes), trusted, result), ResolveStatus::ok);
}

TEST(ClientAddress, AnUnbelievedListIsNotBounded) {
  ClientAddress result;
  const auto lines = fields("X-Forwarded-For: " + std::string(10'000, '1'));
  EXPECT_EQ(resolve_client_address(tcp("198.51.100.7:5"), lines, xff({}), result), ResolveStatus::ok);
  ASSERT_EQ(result.rejected.size(), 1u);
  EXPECT_EQ(result.rejected[0].token.size(), 64u) << "a token is kept up to 64 octets";
}

TEST(ClientAddress, AResultIsClearedBeforeItIsUsedAgain) {
  ClientAddress result;
  const HeaderTrust trusted = xff(cidrs({"10.0.0.0/8"}));
  resolve_client_address(tcp("10.0.0.1:5"), fields("X-Forwarded-For: x, 192.0.2.1:9"), trusted, result);
  ASSERT_EQ(client_of(result), "192.0.2.1 9 header");
  resolve_client_address(unix_peer(), {}, trusted, result);
  EXPECT_EQ(client_of(result), "none 0 socket");
  EXPECT_EQ(hops_of(result), "");
  EXPECT_EQ(rejected_of(result), "");
  EXPECT_FALSE(result.header_believed);
}

}  // namespace
}  // namespace telltale::forwarding
