#include "protocol/forwarding/propagate.h"

#include "tests/unit/protocol/forwarding/propagate_support.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace telltale::forwarding {
namespace {

using namespace test;

TEST(PropagateXForwardedFor, EachMode) {
  struct Case {
    const char* description;
    Request request;
    ListMode mode;
    const char* expected;
  };
  const std::string list = "X-Forwarded-For: 203.0.113.99,192.0.2.1:80\nX-Forwarded-For:  10.0.0.2 ,, [2001:db8::1]\t";
  const char* const joined = "X-Forwarded-For: 203.0.113.99, 192.0.2.1:80, 10.0.0.2, [2001:db8::1], 10.0.0.1\r\n";
  const Case cases[] = {
      {"append: the hop that spoke to us, without its port",
       {direct, xff({}), ""},
       ListMode::append,
       "X-Forwarded-For: 198.51.100.7\r\n"},
      {"append: an untrusted list goes",
       {direct, xff(private_net()), list},
       ListMode::append,
       "X-Forwarded-For: 198.51.100.7\r\n"},
      {"append: a trusted list stays, as one line", {lb, xff(private_net()), list}, ListMode::append, joined},
      {"append: only if X-Forwarded-For is the configured header",
       {lb, forwarded(private_net()), list},
       ListMode::append,
       "X-Forwarded-For: 10.0.0.1\r\n"},
      {"append: likewise beside a single-address header",
       {lb, single("cf-connecting-ip", private_net()), "X-Forwarded-For: 203.0.113.99"},
       ListMode::append,
       "X-Forwarded-For: 10.0.0.1\r\n"},
      {"append: the PROXY source is the hop, and its trust counts",
       {proxied("10.0.0.1:1", "198.51.100.7:5", "203.0.113.1:80"), xff(private_net()), list},
       ListMode::append,
       "X-Forwarded-For: 198.51.100.7\r\n"},
      {"append: IPv6 without brackets",
       {tcp("[2001:db8::7]:5"), xff({}), ""},
       ListMode::append,
       "X-Forwarded-For: 2001:db8::7\r\n"},
      {"append: a Unix peer is unknown", {PeerInfo{}, xff({}), ""}, ListMode::append, "X-Forwarded-For: unknown\r\n"},
      {"append: a Unix peer behind a trusted list",
       {PeerInfo{}, xff(cidrs({}, true)), "X-Forwarded-For: 192.0.2.1"},
       ListMode::append,
       "X-Forwarded-For: 192.0.2.1, unknown\r\n"},
      {"GHSA-5m6w-wvh7-57vm: an alias beside the trusted list goes",
       {lb, xff(private_net()), "X_Forwarded_For: 203.0.113.99\nX-Forwarded-For: 192.0.2.1"},
       ListMode::append,
       "X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\n"},
      {"replace: the resolved client",
       {lb, xff(private_net()), list},
       ListMode::replace,
       "X-Forwarded-For: 2001:db8::1\r\n"},
      {"replace: the peer if nobody is trusted",
       {direct, xff({}), list},
       ListMode::replace,
       "X-Forwarded-For: 198.51.100.7\r\n"},
      {"replace: no address at all", {PeerInfo{}, xff({}), ""}, ListMode::replace, "X-Forwarded-For: unknown\r\n"},
      {"replace: the client of another configured header",
       {lb, single("cf-connecting-ip", private_net()), "X-Forwarded-For: 203.0.113.99"},
       ListMode::replace,
       "X-Forwarded-For: 10.0.0.1\r\n"},
      {"remove: none leaves, trusted", {lb, xff(private_net()), list}, ListMode::remove, ""},
      {"remove: none leaves, untrusted", {direct, xff({}), list}, ListMode::remove, ""},
      {"pass: what came, joined, from an untrusted peer",
       {direct, xff({}), list},
       ListMode::pass,
       "X-Forwarded-For: 203.0.113.99,192.0.2.1:80, 10.0.0.2 ,, [2001:db8::1]\r\n"},
      {"pass: nothing came", {direct, xff({}), "X-Forwarded-For: "}, ListMode::pass, ""},
  };
  for (const Case& c : cases) {
    Propagate p = none();
    p.x_forwarded_for = c.mode;
    EXPECT_EQ(sent(c.request, p), c.expected) << c.description;
  }
}

TEST(PropagateForwarded, EachMode) {
  struct Case {
    const char* description;
    Request request;
    ListMode mode;
    const char* expected;
  };
  const std::string list = "Forwarded: for=203.0.113.99 , for=\"_x\"\nForwarded: ,for=\"[2001:db8::1]:80\";proto=https";
  const Case cases[] = {
      {"append: our element alone",
       {direct, forwarded({}), ""},
       ListMode::append,
       "Forwarded: for=198.51.100.7;proto=http\r\n"},
      {"append: an untrusted list goes",
       {direct, forwarded(private_net()), list},
       ListMode::append,
       "Forwarded: for=198.51.100.7;proto=http\r\n"},
      {"append: a trusted list stays, as one line",
       {lb, forwarded(private_net()), list},
       ListMode::append,
       "Forwarded: for=203.0.113.99, for=\"_x\", for=\"[2001:db8::1]:80\";proto=https, for=10.0.0.1;proto=http\r\n"},
      {"append: only if Forwarded is the configured header",
       {lb, xff(private_net()), list},
       ListMode::append,
       "Forwarded: for=10.0.0.1;proto=http\r\n"},
      {"append: an open quote cannot swallow what follows it",
       {lb, forwarded(private_net()), "Forwarded: for=203.0.113.99, for=\", for=192.0.2.1"},
       ListMode::append,
       "Forwarded: for=192.0.2.1, for=10.0.0.1;proto=http\r\n"},
      {"append: IPv6 in quotes and brackets",
       {tcp("[2001:db8::7]:5"), forwarded({}), ""},
       ListMode::append,
       "Forwarded: for=\"[2001:db8::7]\";proto=http\r\n"},
      {"append: a Unix peer is unknown",
       {PeerInfo{}, forwarded({}), ""},
       ListMode::append,
       "Forwarded: for=unknown;proto=http\r\n"},
      {"replace: the resolved client",
       {lb, forwarded(private_net()), list, "https"},
       ListMode::replace,
       "Forwarded: for=\"[2001:db8::1]\";proto=https\r\n"},
      {"replace: the client of X-Forwarded-For",
       {lb, xff(private_net()), "X-Forwarded-For: 192.0.2.1"},
       ListMode::replace,
       "Forwarded: for=192.0.2.1;proto=http\r\n"},
      {"replace: no address at all",
       {PeerInfo{}, forwarded({}), list},
       ListMode::replace,
       "Forwarded: for=unknown;proto=http\r\n"},
      {"remove: none leaves, trusted", {lb, forwarded(private_net()), list}, ListMode::remove, ""},
      {"remove: none leaves, untrusted", {direct, forwarded({}), list}, ListMode::remove, ""},
      {"pass: what came, joined, from an untrusted peer",
       {direct, forwarded({}), list},
       ListMode::pass,
       "Forwarded: for=203.0.113.99 , for=\"_x\", ,for=\"[2001:db8::1]:80\";proto=https\r\n"},
      {"off: a believed one goes on as it came",
       {lb, forwarded(private_net()), "forwarded: for=192.0.2.1"},
       ListMode::off,
       "forwarded: for=192.0.2.1\r\n"},
      {"off: an untrusted one goes", {direct, forwarded(private_net()), list}, ListMode::off, ""},
      {"off: one that is not configured goes", {lb, xff(private_net()), list}, ListMode::off, ""},
  };
  for (const Case& c : cases) {
    Propagate p = none();
    p.forwarded.mode = c.mode;
    EXPECT_EQ(sent(c.request, p), c.expected) << c.description;
  }
}

TEST(PropagateForwarded, EachParameter) {
  struct Case {
    const char* description;
    bool write_for, by, host, proto, ports;
    PeerInfo peer;
    std::string host_value;
    const char* expected;
  };
  const PeerInfo v6 = proxied("10.0.0.1:1", "[2001:db8::1]:4711", "[2001:db8::80]:443");
  const Case cases[] = {
      {"all, with ports", true, true, true, true, true, v6, "a.example:8080",
       "Forwarded: for=\"[2001:db8::1]:4711\";by=\"[2001:db8::80]:443\";host=\"a.example:8080\";proto=https\r\n"},
      {"all, without ports", true, true, true, true, false, v6, "a.example",
       "Forwarded: for=\"[2001:db8::1]\";by=\"[2001:db8::80]\";host=a.example;proto=https\r\n"},
      {"IPv4 with ports", true, true, false, false, true, direct, "a",
       "Forwarded: for=\"198.51.100.7:5000\";by=\"203.0.113.1:80\"\r\n"},
      {"by alone", false, true, false, false, false, direct, "a", "Forwarded: by=203.0.113.1\r\n"},
      {"by is left out when it is not known", true, true, false, false, false, PeerInfo{}, "a",
       "Forwarded: for=unknown\r\n"},
      {"no host, no parameter", false, false, true, false, false, direct, "", ""},
      {"a host is escaped", false, false, true, false, false, direct, "a\"b\\c", "Forwarded: host=\"a\\\"b\\\\c\"\r\n"},
      {"a host with control octets is left out", true, false, true, true, false, direct, "a\r\nX: y",
       "Forwarded: for=198.51.100.7;proto=https\r\n"},
      {"a host with control octets alone", false, false, true, false, false, direct, "a\r\nX: y", ""},
      {"none at all", false, false, false, false, false, direct, "a", ""},
  };
  for (const Case& c : cases) {
    Propagate p = none();
    p.forwarded = {ListMode::append, c.write_for, c.by, c.host, c.proto, c.ports};
    EXPECT_EQ(sent({c.peer, forwarded({}), "", "https", c.host_value}, p), c.expected) << c.description;
  }
}

TEST(PropagateProtoHostPort, FromATrustedHopOrFromWhatWeSaw) {
  struct Case {
    const char* description;
    Request request;
    bool on;
    const char* expected;
  };
  const char* const seen = "X-Forwarded-Proto: http\r\nX-Forwarded-Host: shop.example.com\r\nX-Forwarded-Port: 80\r\n";
  const char* const kept = "X-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example:8443\r\nX-Forwarded-Port: 8443\r\n";
  const std::string good = "X-Forwarded-Proto: HTTPS\nX-Forwarded-Host: a.example:8443\nX-Forwarded-Port: 8443";
  const Case cases[] = {
      {"on: what we saw", {direct, xff({}), ""}, true, seen},
      {"on: an untrusted hop's are replaced", {direct, xff(private_net()), good}, true, seen},
      {"on: a trusted hop's are kept", {lb, xff(private_net()), good}, true, kept},
      {"on: whatever the configured header", {lb, single("x-real-ip", private_net()), good}, true, kept},
      {"on: not if no header is believed", {lb, trust(HeaderTrust::Kind::none, "", private_net()), good}, true, seen},
      {"off: nothing of ours", {direct, xff({}), ""}, false, ""},
      {"off: an untrusted hop's go", {direct, xff(private_net()), good}, false, ""},
      {"off: a trusted hop's are kept", {lb, xff(private_net()), good}, false, kept},
      {"several lines: the last, the hop nearest to us wrote it; one leaves",
       {lb, xff(private_net()),
        "X-Forwarded-Proto: http\nX-Forwarded-Host: evil.example\nX-Forwarded-Port: 1\n" + good},
       true,
       kept},
      {"an alias does not count, and goes",
       {lb, xff(private_net()), good + "\nX_Forwarded_Proto: ws\nX_Forwarded_Host: evil\nx-forwarded_port: 2"},
       true,
       kept},
      {"several lines, the last bad: what we saw, not an earlier one",
       {lb, xff(private_net()), good + "\nX-Forwarded-Proto: ftp\nX-Forwarded-Host: a b\nX-Forwarded-Port: x"},
       true,
       seen},
      {"a list in one line is not kept",
       {lb, xff(private_net()), "X-Forwarded-Proto: https,http\nX-Forwarded-Host: a, b\nX-Forwarded-Port: 80,443"},
       true,
       seen},
      {"bad ones, off: nothing",
       {lb, xff(private_net()), "X-Forwarded-Proto: javascript\nX-Forwarded-Host: a/b\nX-Forwarded-Port: 0"},
       false,
       ""},
      {"the PROXY header's destination gives the port",
       {proxied("10.9.9.9:1", "198.51.100.7:5", "203.0.113.9:443"), xff({}), "", "https"},
       true,
       "X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example.com\r\nX-Forwarded-Port: 443\r\n"},
      {"a Unix socket has no port, an HTTP/1.0 request maybe no host",
       {PeerInfo{}, xff({}), "", "http", ""},
       true,
       "X-Forwarded-Proto: http\r\n"},
  };
  for (const Case& c : cases) {
    Propagate p = none();
    p.x_forwarded_proto = p.x_forwarded_host = p.x_forwarded_port = c.on;
    EXPECT_EQ(sent(c.request, p), c.expected) << c.description;
  }
}

TEST(PropagateProtoHostPort, KeepsOnlyValuesThatAreOne) {
  struct Case {
    const char* line;
    bool kept;
  };
  const Case cases[] = {
      {"X-Forwarded-Proto: http", true},
      {"X-Forwarded-Proto: https", true},
      {"X-Forwarded-Proto: ws", true},
      {"X-Forwarded-Proto: wss", true},
      {"X-Forwarded-Proto: httpss", false},
      {"X-Forwarded-Proto: ", false},
      {"X-Forwarded-Proto: https http", false},
      {"X-Forwarded-Port: 1", true},
      {"X-Forwarded-Port: 65535", true},
      {"X-Forwarded-Port: 65536", false},
      {"X-Forwarded-Port: -1", false},
      {"X-Forwarded-Port: 80 ", true},
      {"X-Forwarded-Port: 8 0", false},
      {"X-Forwarded-Host: [2001:db8::1]:80", true},
      {"X-Forwarded-Host: xn--bcher-kva.example", true},
      {"X-Forwarded-Host: a b", false},
      {"X-Forwarded-Host: a\tb", false},
      {"X-Forwarded-Host: a\x01"
       "b",
       false},
      {"X-Forwarded-Host: a,b", false},
      {"X-Forwarded-Host: a\"b", false},
      {"X-Forwarded-Host: user@a", false},
      {"X-Forwarded-Host: a/../b", false},
      {"X-Forwarded-Host: <script>", false},
      {"X-Forwarded-Host: b\xC3\xBC"
       "cher",
       false},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(!sent({lb, xff(private_net()), c.line}, none()).empty(), c.kept) << c.line;
  }
}

TEST(PropagateXRealIp, IsTheResolvedClient) {
  Propagate p = none();
  p.x_real_ip = true;
  EXPECT_EQ(sent({direct, xff({}), "X-Real-IP: 203.0.113.99\nx_real_ip: 203.0.113.98"}, p),
            "X-Real-IP: 198.51.100.7\r\n");
  EXPECT_EQ(sent({lb, xff(private_net()), "X-Real-IP: 203.0.113.99\nX-Forwarded-For: 192.0.2.1:4711"}, p),
            "X-Real-IP: 192.0.2.1\r\n");
  EXPECT_EQ(sent({lb, single("x-real-ip", private_net()), "X-Real-IP: [2001:db8::1]:80"}, p),
            "X-Real-IP: 2001:db8::1\r\n");
  EXPECT_EQ(sent({PeerInfo{}, xff({}), "X-Real-IP: 203.0.113.99"}, p), "") << "no address, no header";
}

TEST(PropagateVia, IsAppendedInOneLine) {
  Propagate p = none();
  p.via = true;
  EXPECT_EQ(sent({direct, xff({}), ""}, p), "Via: 1.1 telltale\r\n");
  EXPECT_EQ(sent({direct, xff({}), "", "http", "a", 0}, p), "Via: 1.0 telltale\r\n") << "RFC 9110 7.6.3: as received";
  EXPECT_EQ(sent({direct, xff({}), "Via: 1.0 fred\nvia: HTTP/1.1 p.example (x, y)\nVia: "}, p),
            "Via: 1.0 fred, HTTP/1.1 p.example (x, y), 1.1 telltale\r\n");
  EXPECT_EQ(sent({direct, xff({}), "Via: 1.0 fred"}, none()), "Via: 1.0 fred\r\n") << "off: it passes";
}

// RFC 7239 7.4 asks for it: what the next hop reads is what this one resolved.
TEST(PropagateProperty, ATelltaleBehindATelltaleFindsTheSameClient) {
  const char* const clients[] = {"198.51.100.7:5000", "[2001:db8::7]:5000", "[::ffff:198.51.100.7]:1"};
  for (const char* text : clients) {
    for (const ListMode mode : {ListMode::append, ListMode::replace}) {
      for (const bool use_forwarded : {false, true}) {
        Propagate p = none();
        (use_forwarded ? p.forwarded.mode : p.x_forwarded_for) = mode;
        p.forwarded.write_by = p.forwarded.write_host = p.forwarded.ports = true;
        std::string lines = "Forwarded: for=\"\nX-Forwarded-For: 203.0.113.99, unknown";
        for (int hops = 0; hops < 3; ++hops) {
          const Request request{hops == 0 ? tcp(text) : lb,
                                use_forwarded ? forwarded(private_net()) : xff(private_net()), lines};
          std::string head = sent(request, p);
          lines.clear();
          for (const char c : head) {
            if (c != '\r') lines += c;
          }
        }
        ClientAddress client;
        resolve_client_address(lb, fields(lines), use_forwarded ? forwarded(private_net()) : xff(private_net()),
                               client);
        EXPECT_EQ(client.address, node(text).address) << lines;
      }
    }
  }
}

}  // namespace
}  // namespace telltale::forwarding
