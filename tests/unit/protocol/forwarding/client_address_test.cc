#include "protocol/forwarding/client_address.h"

#include "tests/unit/protocol/forwarding/support.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace telltale::forwarding {
namespace {

using namespace test;

std::string_view to_text(RejectReason reason) {
  switch (reason) {
    case RejectReason::peer_not_trusted:
      return "peer_not_trusted";
    case RejectReason::not_an_address:
      return "not_an_address";
    case RejectReason::beyond_client:
      return "beyond_client";
    case RejectReason::malformed:
      return "malformed";
  }
  return "?";
}

// "192.0.2.1 0 header", then the hops and the rejected tokens that a case cares for.
std::string client_of(const ClientAddress& result) {
  return (result.address ? result.address->to_string() : "none") + " " + std::to_string(result.port) + " " +
         std::string(to_string(result.provenance));
}
std::string hops_of(const ClientAddress& result) {
  std::string out;
  for (const Hop& hop : result.hops) {
    out += out.empty() ? "" : " > ";
    out += hop.address.address.to_string();
    out += hop.verdict == HopVerdict::client ? "!" : "";
  }
  return out;
}
std::string rejected_of(const ClientAddress& result) {
  std::string out;
  for (const Rejected& rejected : result.rejected) {
    out += out.empty() ? "" : ", ";
    out += rejected.token + "=" + std::string(to_text(rejected.reason));
  }
  return out;
}

struct Case {
  const char* description;
  PeerInfo peer;
  HeaderTrust trust;
  const char* header_lines;
  const char* client;
  const char* hops;
  const char* rejected;
};

void check(const Case& c) {
  SCOPED_TRACE(c.description);
  ClientAddress result;
  EXPECT_EQ(resolve_client_address(c.peer, fields(c.header_lines), c.trust, result), ResolveStatus::ok);
  EXPECT_EQ(client_of(result), c.client);
  EXPECT_EQ(hops_of(result), c.hops);
  EXPECT_EQ(rejected_of(result), c.rejected);
}

PeerInfo unix_peer() { return {}; }

const char* const any_v4 = "0.0.0.0/0";

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

TEST(ClientAddress, SaysWhetherTheHeaderOfTheHopIsBelieved) {
  ClientAddress result;
  resolve_client_address(tcp("10.0.0.1:1"), {}, xff(cidrs({"10.0.0.0/8"})), result);
  EXPECT_TRUE(result.header_believed) << "even when there is none: its siblings depend on it";
  resolve_client_address(tcp("192.0.2.1:1"), {}, xff(cidrs({"10.0.0.0/8"})), result);
  EXPECT_FALSE(result.header_believed);
  resolve_client_address(tcp("10.0.0.1:1"), {}, trust(HeaderTrust::Kind::none, "", cidrs({any_v4})), result);
  EXPECT_FALSE(result.header_believed);
}

TEST(ClientAddress, WalksXForwardedForFromTheRight) {
  const PeerInfo lb = tcp("10.0.0.1:5");
  const HeaderTrust private_net = xff(cidrs({"10.0.0.0/8", "fd00::/8"}));
  const Case cases[] = {
      {"one entry", lb, private_net, "X-Forwarded-For: 192.0.2.1", "192.0.2.1 0 header", "10.0.0.1 > 192.0.2.1!", ""},
      {"the first untrusted address from the right, the leftmost is a forgery", lb, private_net,
       "X-Forwarded-For: 203.0.113.99, 192.0.2.1, 10.0.0.2", "192.0.2.1 0 header", "10.0.0.1 > 10.0.0.2 > 192.0.2.1!",
       "203.0.113.99=beyond_client"},
      {"a forged trusted address on the left is not believed either", lb, private_net,
       "X-Forwarded-For: 10.9.9.9, 192.0.2.1", "192.0.2.1 0 header", "10.0.0.1 > 192.0.2.1!", "10.9.9.9=beyond_client"},
      {"garbage left of the client is only reported", lb, private_net, "X-Forwarded-For: <x>, unknown, 192.0.2.1",
       "192.0.2.1 0 header", "10.0.0.1 > 192.0.2.1!", "unknown=beyond_client, <x>=beyond_client"},
      {"all trusted: the leftmost", lb, private_net, "X-Forwarded-For: 10.0.0.4, fd00::2, 10.0.0.2",
       "10.0.0.4 0 header", "10.0.0.1 > 10.0.0.2 > fd00::2 > 10.0.0.4!", ""},
      {"several lines are one list, in order", lb, private_net,
       "X-Forwarded-For: 203.0.113.99\nAccept: */*\nx-forwarded-for: 192.0.2.1, 10.0.0.3\nX-FORWARDED-FOR: 10.0.0.2",
       "192.0.2.1 0 header", "10.0.0.1 > 10.0.0.2 > 10.0.0.3 > 192.0.2.1!", "203.0.113.99=beyond_client"},
      {"empty elements are skipped, RFC 9110 5.6.1", lb, private_net,
       "X-Forwarded-For: , 192.0.2.1,,\t , 10.0.0.2 ,\nX-Forwarded-For: \nX-Forwarded-For: ,", "192.0.2.1 0 header",
       "10.0.0.1 > 10.0.0.2 > 192.0.2.1!", ""},
      {"an empty header says nothing", lb, private_net, "X-Forwarded-For: ", "10.0.0.1 5 socket", "10.0.0.1!", ""},
      {"white space or none", lb, private_net, "X-Forwarded-For: 192.0.2.1,10.0.0.2\t,\t10.0.0.3", "192.0.2.1 0 header",
       "10.0.0.1 > 10.0.0.3 > 10.0.0.2 > 192.0.2.1!", ""},
      {"ports and brackets", lb, private_net, "X-Forwarded-For: [2001:db8::1]:4711, 10.0.0.2:80",
       "2001:db8::1 4711 header", "10.0.0.1 > 10.0.0.2 > 2001:db8::1!", ""},
      {"`unknown` ends the walk at the last good hop", lb, private_net, "X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.2",
       "10.0.0.2 0 header", "10.0.0.1 > 10.0.0.2!", "unknown=not_an_address"},
      {"`unknown` at once: the peer", lb, private_net, "X-Forwarded-For: 192.0.2.1, unknown", "10.0.0.1 5 socket",
       "10.0.0.1!", "unknown=not_an_address"},
      {"an obfuscated identifier", lb, private_net, "X-Forwarded-For: _hidden", "10.0.0.1 5 socket", "10.0.0.1!",
       "_hidden=not_an_address"},
      {"a zone id", lb, private_net, "X-Forwarded-For: fe80::1%eth0", "10.0.0.1 5 socket", "10.0.0.1!",
       "fe80::1%eth0=not_an_address"},
      {"CVE-2021-29922: a leading zero", lb, private_net, "X-Forwarded-For: 010.0.0.2", "10.0.0.1 5 socket",
       "10.0.0.1!", "010.0.0.2=not_an_address"},
      {"another address on the same line is not a list", lb, private_net, "X-Forwarded-For: 192.0.2.1 10.0.0.2",
       "10.0.0.1 5 socket", "10.0.0.1!", "192.0.2.1 10.0.0.2=not_an_address"},
      {"a quote hides nothing here", lb, private_net, "X-Forwarded-For: \"203.0.113.99, 192.0.2.1",
       "192.0.2.1 0 header", "10.0.0.1 > 192.0.2.1!", "\"203.0.113.99=beyond_client"},
      {"GHSA-5m6w-wvh7-57vm: an alias that a trusted hop let pass is not read", lb, private_net,
       "X-Forwarded-For: 192.0.2.1\nX_Forwarded_For: 203.0.113.99\nx-forwarded_for: 203.0.113.98", "192.0.2.1 0 header",
       "10.0.0.1 > 192.0.2.1!", ""},
      {"GHSA-5m6w-wvh7-57vm: nor alone", lb, private_net, "X_Forwarded_For: 203.0.113.99", "10.0.0.1 5 socket",
       "10.0.0.1!", ""},
  };
  for (const Case& c : cases) check(c);
}

TEST(ClientAddress, WalksForwardedFromTheRight) {
  const PeerInfo lb = tcp("10.0.0.1:5");
  const HeaderTrust private_net = forwarded(cidrs({"10.0.0.0/8"}));
  const Case cases[] = {
      {"one element", lb, private_net, "Forwarded: for=192.0.2.1;proto=https", "192.0.2.1 0 header",
       "10.0.0.1 > 192.0.2.1!", ""},
      {"right to left over lines", lb, private_net,
       "Forwarded: for=203.0.113.99, For=\"192.0.2.1:4711\"\nforwarded: proto=http;for=10.0.0.2;by=_x",
       "192.0.2.1 4711 header", "10.0.0.1 > 10.0.0.2 > 192.0.2.1!", "for=203.0.113.99=beyond_client"},
      {"quoted IPv6", lb, private_net, "Forwarded: for=\"[2001:db8::1]:4711\"", "2001:db8::1 4711 header",
       "10.0.0.1 > 2001:db8::1!", ""},
      {"escapes", lb, private_net, R"(Forwarded: for="192\.0.2.1")", "192.0.2.1 0 header", "10.0.0.1 > 192.0.2.1!", ""},
      {"a comma inside quotes is no separator", lb, private_net, "Forwarded: for=192.0.2.1;host=\"a, for=10.0.0.9\"",
       "192.0.2.1 0 header", "10.0.0.1 > 192.0.2.1!", ""},
      {"an escaped quote does not end the string", lb, private_net,
       R"(Forwarded: for=192.0.2.1;host="a\", for=10.0.0.9")", "192.0.2.1 0 header", "10.0.0.1 > 192.0.2.1!", ""},
      {"an escaped backslash does", lb, private_net, R"(Forwarded: for=192.0.2.1;host="a\\", for=10.0.0.9)",
       "192.0.2.1 0 header", "10.0.0.1 > 10.0.0.9 > 192.0.2.1!", ""},
      {"an open quote of the client's cannot swallow the trusted hop's element", lb, private_net,
       "Forwarded: for=\", for=192.0.2.1", "192.0.2.1 0 header", "10.0.0.1 > 192.0.2.1!", "for=\"=beyond_client"},
      {"nor across lines", lb, private_net, "Forwarded: for=\"\nForwarded: for=192.0.2.1;host=\"x\"",
       "192.0.2.1 0 header", "10.0.0.1 > 192.0.2.1!", "for=\"=beyond_client"},
      {"nor with a backslash", lb, private_net, "Forwarded: host=\"\\, for=192.0.2.1", "192.0.2.1 0 header",
       "10.0.0.1 > 192.0.2.1!", "host=\"\\=beyond_client"},
      {"a malformed element ends the walk and nothing left of it is looked at", lb, private_net,
       "Forwarded: for=192.0.2.1, for=2001:db8::1, for=10.0.0.2", "10.0.0.2 0 header", "10.0.0.1 > 10.0.0.2!",
       "for=2001:db8::1=malformed"},
      {"a malformed element right at the end: the peer", lb, private_net, "Forwarded: for=192.0.2.1, for=\"10.0.0.2",
       "10.0.0.1 5 socket", "10.0.0.1!", "for=192.0.2.1, for=\"10.0.0.2=malformed"},
      {"a parameter twice", lb, private_net, "Forwarded: for=192.0.2.1;for=10.0.0.2", "10.0.0.1 5 socket", "10.0.0.1!",
       "for=192.0.2.1;for=10.0.0.2=malformed"},
      {"no `for`: the hop did not say who", lb, private_net, "Forwarded: for=192.0.2.1, proto=https",
       "10.0.0.1 5 socket", "10.0.0.1!", "proto=https=not_an_address"},
      {"unknown", lb, private_net, "Forwarded: for=192.0.2.1, for=unknown, for=10.0.0.2", "10.0.0.2 0 header",
       "10.0.0.1 > 10.0.0.2!", "for=unknown=not_an_address"},
      {"obfuscated", lb, private_net, "Forwarded: for=192.0.2.1, for=\"_x:_y\"", "10.0.0.1 5 socket", "10.0.0.1!",
       "for=\"_x:_y\"=not_an_address"},
      {"IPv6 without brackets", lb, private_net, "Forwarded: for=\"2001:db8::1\"", "10.0.0.1 5 socket", "10.0.0.1!",
       "for=\"2001:db8::1\"=not_an_address"},
      {"empty elements are skipped", lb, private_net,
       "Forwarded: ,, for=192.0.2.1 , ,\nForwarded: ", "192.0.2.1 0 header", "10.0.0.1 > 192.0.2.1!", ""},
      {"X-Forwarded-For beside it is not looked at", lb, private_net,
       "Forwarded: for=192.0.2.1\nX-Forwarded-For: 203.0.113.99", "192.0.2.1 0 header", "10.0.0.1 > 192.0.2.1!", ""},
      {"from an untrusted peer", tcp("198.51.100.7:5"), private_net, "Forwarded: for=192.0.2.1",
       "198.51.100.7 5 socket", "198.51.100.7!", "for=192.0.2.1=peer_not_trusted"},
  };
  for (const Case& c : cases) check(c);
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

TEST(ClientAddress, NothingThatAClientPutsOnTheLeftChangesTheResult) {
  const std::string_view attacks[] = {
      "\"",
      "\\",
      "\"\\",
      ",",
      ", ,",
      "for=\"",
      "for=\"\\",
      "for=10.0.0.9;host=\"a",
      "=",
      ";",
      "10.0.0.9",
      "unknown",
      "for=10.0.0.9",
      "\\\"",
      "\"\"",
      "\"\\\"",
      "for=\"10.0.0.9, for=10.0.0.8",
      "\t",
      "\xFF",
      "for=\"a\\\\\"",
      "[",
      "]:80",
  };
  ClientAddress result;
  for (const std::string_view left : attacks) {
    for (const std::string_view right : attacks) {
      for (const char* separator : {", ", ",", "\n"}) {
        const std::string written = std::string(left) + std::string(right);
        const bool newline = *separator == '\n';
        const std::string xff_lines =
            "X-Forwarded-For: " + written + (newline ? "\nX-Forwarded-For: " : separator) + "192.0.2.1, 10.0.0.2";
        resolve_client_address(tcp("10.0.0.1:5"), fields(xff_lines), xff(cidrs({"10.0.0.0/8"})), result);
        EXPECT_EQ(client_of(result), "192.0.2.1 0 header") << xff_lines;
        const std::string lines = "Forwarded: " + written + (newline ? "\nForwarded: " : separator) +
                                  R"(for=192.0.2.1;host="a\"b\\", for="10.0.0.2:80")";
        resolve_client_address(tcp("10.0.0.1:5"), fields(lines), forwarded(cidrs({"10.0.0.0/8"})), result);
        EXPECT_EQ(client_of(result), "192.0.2.1 0 header") << lines;
      }
    }
  }
}

TEST(ClientAddress, EveryCutOfAHeaderIsResolvedWithoutReachingPastTheClient) {
  const std::string whole = R"(for=203.0.113.9, for="192.0.2.1:4711";host="a\",b", , for=10.0.0.2;by=_x)";
  ClientAddress result;
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    // Cut on the left: what a trusted hop wrote on the right still counts.
    http::HeaderBlock block;
    block.append("Forwarded", std::string_view(whole).substr(n));
    EXPECT_EQ(resolve_client_address(tcp("10.0.0.1:5"), block, forwarded(cidrs({"10.0.0.0/8"})), result),
              ResolveStatus::ok);
    ASSERT_TRUE(result.address);
    EXPECT_NE(result.address->to_string(), "203.0.113.9") << n;
    // Cut on the right: anything, but bounded by the walk's rules.
    block.clear();
    block.append("Forwarded", std::string_view(whole).substr(0, n));
    resolve_client_address(tcp("10.0.0.1:5"), block, forwarded(cidrs({"10.0.0.0/8"})), result);
    ASSERT_FALSE(result.hops.empty());
    EXPECT_EQ(result.hops.back().verdict, HopVerdict::client);
    EXPECT_EQ(result.hops.back().address.address, *result.address);
  }
}

}  // namespace
}  // namespace telltale::forwarding
