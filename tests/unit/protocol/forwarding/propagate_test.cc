#include "protocol/forwarding/propagate.h"

#include "protocol/forwarding/identity_headers.h"
#include "tests/unit/protocol/forwarding/support.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::forwarding {
namespace {

using namespace test;
using http::FieldId;

struct Request {
  PeerInfo peer;
  HeaderTrust trust;
  std::string lines;
  std::string_view scheme = "http";
  std::string_view host = "shop.example.com";
  unsigned http_minor = 1;
};

Propagate none() {
  Propagate p;
  p.x_forwarded_for = ListMode::remove;
  p.via = false;
  return p;
}

// The head's fields as a backend gets them: those kept, then ours.
std::string sent(const Request& request, const Propagate& propagate) {
  const http::HeaderBlock received = fields(request.lines);
  ClientAddress client;
  EXPECT_EQ(resolve_client_address(request.peer, received, request.trust, client), ResolveStatus::ok);
  std::string out;
  for (const http::HeaderBlock::Field field : received) {
    if (!keeps_field(field.id, field.name, request.trust, client, propagate)) continue;
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  append_identity_fields(out, received, request.trust, propagate,
                         {request.peer, client, request.scheme, request.host, request.http_minor});
  return out;
}

const PeerInfo direct = tcp("198.51.100.7:5000");
const PeerInfo lb = tcp("10.0.0.1:1000");
net::CidrSet private_net() { return cidrs({"10.0.0.0/8"}); }

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

// What a request can carry to pretend an identity, with every name in its aliases too.
std::string every_identity_line() {
  std::string lines;
  for (auto i = static_cast<unsigned>(http::first_identity_field);
       i <= static_cast<unsigned>(http::last_identity_field); ++i) {
    std::string name(http::field_name(static_cast<FieldId>(i)));
    lines += name + ": 203.0.113.99\n";
    for (char& c : name) c = c == '-' ? '_' : c;
    lines += name + ": 203.0.113.98\n";
  }
  return lines +
         "X-Forwarded-Tls-Client-Cert: 203.0.113.97\nX-Acme-Client: 203.0.113.96\nx_acme_client: 203.0.113.95\n"
         "Accept: */*\nX_Other: y";
}

std::vector<std::string> names_in(std::string_view head) {
  std::vector<std::string> names;
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    names.emplace_back(line.substr(0, line.find(':')));
    head.remove_prefix(line.size() + 2);
  }
  return names;
}

TEST(Sanitising, NothingOfAnUntrustedHopLeaves) {
  HeaderTrust trusted = xff(private_net());
  trusted.extra_identity_names = {"x-acme-client"};
  EXPECT_EQ(sent({direct, trusted, every_identity_line()}, none()), "Accept: */*\r\nX_Other: y\r\n");
  trusted = single("x-acme-client", private_net());
  EXPECT_EQ(sent({direct, trusted, every_identity_line()}, none()), "Accept: */*\r\nX_Other: y\r\n")
      << "a configured name is identity too";
}

TEST(Sanitising, ATrustedHopKeepsTheConfiguredHeaderAndItsSiblings) {
  HeaderTrust trusted = single("cf-connecting-ip", private_net());
  trusted.extra_identity_names = {"X_Acme_Client"};
  EXPECT_EQ(sent({lb, trusted, every_identity_line()}, none()),
            "cf-connecting-ip: 203.0.113.99\r\nAccept: */*\r\nX_Other: y\r\nX-Forwarded-Host: 203.0.113.99\r\n");
  EXPECT_EQ(sent({lb, single("x-acme-client", private_net()), every_identity_line()}, none()),
            "X-Acme-Client: 203.0.113.96\r\nAccept: */*\r\nX_Other: y\r\nX-Forwarded-Host: 203.0.113.99\r\n");
  EXPECT_EQ(sent({lb, single("x-real-ip", private_net()), "X-Real-IP: 192.0.2.1"}, none()), "X-Real-IP: 192.0.2.1\r\n");
}

TEST(Sanitising, ASingleAddressThatWasRefusedDoesNotPass) {
  EXPECT_EQ(sent({lb, single("x-real-ip", private_net()), "X-Real-IP: 192.0.2.1\nX-Real-IP: 203.0.113.99"}, none()),
            "");
  EXPECT_EQ(sent({lb, single("x-real-ip", private_net()), "X-Real-IP: 192.0.2.1, 203.0.113.99"}, none()), "");
  EXPECT_EQ(sent({lb, single("x-acme-client", private_net()), "X-Acme-Client: me"}, none()), "");
}

TEST(Sanitising, NoIdentityHeaderEverLeavesTwice) {
  const std::string lines =
      every_identity_line() +
      "\nX-Forwarded-Proto: https\nX-Forwarded-Proto: http\nX-Forwarded-Port: 1\nX-Forwarded-Port: 2"
      "\nVia: 1.0 a\nVia: 1.0 b\nForwarded: for=192.0.2.1\nX-Forwarded-For: 192.0.2.1";
  HeaderTrust trusts[] = {xff({}),
                          xff(private_net()),
                          single("x-real-ip", private_net()),
                          single("x-acme-client", private_net()),
                          trust(HeaderTrust::Kind::none, "", {}),
                          forwarded(cidrs({"192.0.2.0/24"}))};
  for (HeaderTrust& trusted : trusts) {
    trusted.extra_identity_names = {"x-acme-client"};
    for (const PeerInfo& peer : {direct, lb}) {
      for (unsigned flags = 0; flags < 25 * 4; ++flags) {
        Propagate p;
        p.x_forwarded_for = static_cast<ListMode>(flags % 5);
        p.forwarded.mode = static_cast<ListMode>(flags / 5 % 5);
        p.x_forwarded_proto = p.x_forwarded_host = p.x_forwarded_port = p.x_real_ip = flags / 25 % 2;
        if (p.x_forwarded_for == ListMode::off) continue;  // no such mode in a configuration
        const std::string head = sent({peer, trusted, lines}, p);
        const std::vector<std::string> names = names_in(head);
        for (std::size_t i = 0; i < names.size(); ++i) {
          for (std::size_t j = 0; j < i; ++j) ASSERT_FALSE(http::folded_equal(names[i], names[j])) << head;
        }
      }
    }
  }
}

TEST(IdentityNames, FoldAndCountTheConfiguredOnes) {
  HeaderTrust trusted = single("x-acme-client", {});
  trusted.extra_identity_names = {"x-edge-ip"};
  const auto is_identity = [&](std::string_view name) { return is_identity_name(http::field_id(name), name, trusted); };
  EXPECT_TRUE(is_identity("X_Forwarded_For"));
  EXPECT_TRUE(is_identity("X_ACME-client"));
  EXPECT_TRUE(is_identity("X_Edge_IP"));
  EXPECT_FALSE(is_identity("X-Edge-IPs"));
  EXPECT_FALSE(is_identity("Accept"));
  trusted.kind = HeaderTrust::Kind::none;
  EXPECT_FALSE(is_identity("X-Acme-Client"));
}

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
