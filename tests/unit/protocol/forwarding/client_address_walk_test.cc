#include "protocol/forwarding/client_address.h"
#include "tests/unit/protocol/forwarding/client_address_support.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace telltale::forwarding {
namespace {

using namespace test;

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
