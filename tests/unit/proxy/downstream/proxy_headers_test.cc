#include "proxy/downstream/proxy_headers.h"

#include "protocol/proxy_protocol/serializer.h"
#include "proxy/downstream/diagnosis.h"
#include "tests/unit/protocol/forwarding/support.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace telltale::proxy {
namespace {

using forwarding::test::cidrs;
using forwarding::test::node;
using forwarding::test::tcp;
using Status = ProxyHeaders::Status;

const std::string v1 = "PROXY TCP4 198.51.100.79 203.0.113.140 52110 80\r\n";
const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

std::string v2() {
  proxy_protocol::Header header;
  header.command = proxy_protocol::Command::proxy;
  header.source = node("198.51.100.80:1");
  header.destination = node("203.0.113.140:80");
  std::string out;
  EXPECT_TRUE(proxy_protocol::serialize(header, out));
  return out;
}

conf::ClientIp client_ip(conf::ProxyPolicy policy, conf::ProxyVersions version = conf::ProxyVersions::any,
                         unsigned count = 1) {
  conf::ClientIp out;
  out.proxy_protocol.push_back({cidrs({"10.0.0.0/8"}), policy, version});
  out.proxy_header_count = count;
  return out;
}

enum class End { none, closed, timed_out };

/// What the phase came to: `done`, with the payload behind it, or the cause; and whom it believed.
struct Seen {
  std::string verdict;
  std::string payload;
  std::string source;
  friend bool operator==(const Seen&, const Seen&) = default;
};
std::ostream& operator<<(std::ostream& out, const Seen& seen) {
  return out << seen.verdict << ", payload '" << seen.payload << "', source " << seen.source;
}

Seen run(const conf::ClientIp& conf, const conf::ProxyProtocolRule& rule, forwarding::PeerInfo peer,
         const std::vector<std::string_view>& pieces, End end) {
  ProxyHeaders headers(conf, rule, peer);
  Status status = Status::need_more;
  Seen seen;
  for (const std::string_view piece : pieces) {
    if (status != Status::need_more) {
      seen.payload += piece;  // what a session would read next
      continue;
    }
    status = headers.feed(piece);
    if (status != Status::done) continue;
    seen.payload = std::string(headers.buffered()) + std::string(piece.substr(headers.consumed()));
  }
  if (status == Status::need_more && end != End::none) {
    status = headers.end(end == End::timed_out);
    if (status == Status::done) seen.payload = headers.buffered();
  }
  seen.verdict = status == Status::done        ? "done"
                 : status == Status::need_more ? "need_more"
                                               : to_string(headers.problem().cause);
  if (status == Status::failed) seen.payload.clear();
  if (peer.proxy_source) seen.source = peer.proxy_source->to_string();
  return seen;
}

struct Case {
  const char* description;
  conf::ProxyPolicy policy;
  conf::ProxyVersions version;
  unsigned count;
  std::string octets;
  End end;
  Seen expected;
};

const std::string local_v2 = [] {
  std::string out;
  EXPECT_TRUE(proxy_protocol::serialize(proxy_protocol::Header{}, out));
  return out;
}();
const std::string from_hop = "PROXY TCP4 10.0.0.8 203.0.113.140 1 80\r\n";
const std::string signature = v2().substr(0, 12);
constexpr auto require = conf::ProxyPolicy::require;
constexpr auto accept = conf::ProxyPolicy::accept;
constexpr auto ignore = conf::ProxyPolicy::ignore;
constexpr auto forbid = conf::ProxyPolicy::forbid;
constexpr auto any = conf::ProxyVersions::any;
constexpr auto only_v1 = conf::ProxyVersions::v1;
constexpr auto only_v2 = conf::ProxyVersions::v2;

const Case cases[] = {
    {"require: a v1 header", require, any, 1, v1 + get, End::none, {"done", get, "198.51.100.79:52110"}},
    {"require: a v2 header", require, any, 1, v2() + get, End::none, {"done", get, "198.51.100.80:1"}},
    {"require: nothing behind the header", require, any, 1, v2(), End::none, {"done", "", "198.51.100.80:1"}},
    {"require: LOCAL leaves the socket's address", require, any, 1, local_v2 + get, End::none, {"done", get, ""}},
    {"require: plain HTTP", require, any, 1, get, End::none, {"plain_http", "", ""}},
    {"require: HTTP/2 is HTTP too", require, any, 1, "PRI * HTTP/2.0\r\n\r\n", End::none, {"plain_http", "", ""}},
    {"require: TLS", require, any, 1, "\x16\x03\x01 hello", End::none, {"tls_client_hello", "", ""}},
    {"require: neither", require, any, 1, "SSH-2.0-OpenSSH", End::none, {"no_header", "", ""}},
    {"require: a wrong header", require, any, 1, "PROXY TCP4 1 2 3 4\r\n", End::none, {"malformed", "", ""}},
    {"require: closed without an octet", require, any, 1, "", End::closed, {"bare_probe", "", ""}},
    {"require: closed half-way", require, any, 1, v1.substr(0, 20), End::closed, {"cut_short", "", ""}},
    {"require: nothing in time", require, any, 1, "", End::timed_out, {"timed_out", "", ""}},
    {"require: half a header in time", require, any, 1, v2().substr(0, 20), End::timed_out, {"timed_out", "", ""}},
    {"require: what begins like a signature and is none",
     require,
     any,
     1,
     "PROPFIND / HTTP/1.1\r\n",
     End::none,
     {"plain_http", "", ""}},
    {"v2 alone: v2", require, only_v2, 1, v2() + get, End::none, {"done", get, "198.51.100.80:1"}},
    {"v2 alone: v1", require, only_v2, 1, v1 + get, End::none, {"v1_not_allowed", "", ""}},
    {"v1 alone: v1", require, only_v1, 1, v1 + get, End::none, {"done", get, "198.51.100.79:52110"}},
    {"v1 alone: v2", accept, only_v1, 1, v2() + get, End::none, {"v2_not_allowed", "", ""}},
    {"v1 alone, ignored: v2", ignore, only_v1, 1, v2() + get, End::none, {"v2_not_allowed", "", ""}},
    {"accept: a header", accept, any, 1, v1 + get, End::none, {"done", get, "198.51.100.79:52110"}},
    {"accept: none", accept, any, 1, get, End::none, {"done", get, ""}},
    {"accept: what begins like one loses nothing",
     accept,
     any,
     1,
     "PROPFIND / HTTP/1.1\r\n",
     End::none,
     {"done", "PROPFIND / HTTP/1.1\r\n", ""}},
    {"accept: a wrong one", accept, any, 1, "PROXY TCP4 1 2 3 4\r\n", End::none, {"malformed", "", ""}},
    {"ignore: read and dropped", ignore, any, 1, v1 + get, End::none, {"done", get, ""}},
    {"two declared: the inner one names the client",
     require,
     any,
     2,
     from_hop + v1 + get,
     End::none,
     {"done", get, "198.51.100.79:52110"}},
    {"two declared: the second still to come", require, any, 2, from_hop, End::none, {"need_more", "", "10.0.0.8:1"}},
    {"two declared, one came", require, any, 2, from_hop + get, End::none, {"plain_http", "", "10.0.0.8:1"}},
    {"two declared, accepted: one came", accept, any, 2, from_hop + get, End::none, {"done", get, "10.0.0.8:1"}},
    {"two declared, closed after one", require, any, 2, from_hop, End::closed, {"cut_short", "", "10.0.0.8:1"}},
    {"two declared: whoever is not listed reports nobody",
     require,
     any,
     2,
     v2() + v1 + get,
     End::none,
     {"done", v1 + get, "198.51.100.80:1"}},
    {"two declared: who names nobody is the last",
     require,
     any,
     2,
     local_v2 + v1 + get,
     End::none,
     {"done", v1 + get, ""}},
    {"two declared, ignored: both are dropped", ignore, any, 2, v2() + v1 + get, End::none, {"done", get, ""}},
    {"forbid: an ordinary client", forbid, any, 1, get, End::none, {"done", get, ""}},
    {"forbid: v1", forbid, any, 1, v1 + get, End::none, {"not_listed", "", ""}},
    {"forbid: the signature of v2 is enough", forbid, any, 1, signature, End::none, {"not_listed", "", ""}},
    {"forbid: less than a signature waits", forbid, any, 1, "PROX", End::none, {"need_more", "", ""}},
    {"forbid: less than a signature, closed: HTTP's affair", forbid, any, 1, "PR", End::closed, {"done", "PR", ""}},
    {"forbid: less than a signature, late: HTTP's affair", forbid, any, 1, "P", End::timed_out, {"done", "P", ""}},
};

TEST(ProxyHeaders, DecidesByPolicyVersionAndCount) {
  for (const Case& c : cases) {
    const auto conf = client_ip(c.policy, c.version, c.count);
    EXPECT_EQ(run(conf, conf.proxy_protocol[0], tcp("10.0.0.7:5"), {c.octets}, c.end), c.expected) << c.description;
  }
}

TEST(ProxyHeaders, CutAtEveryOctetItDecidesTheSame) {
  for (const Case& c : cases) {
    const auto conf = client_ip(c.policy, c.version, c.count);
    for (std::size_t cut = 1; cut < c.octets.size(); ++cut) {
      const std::string_view octets = c.octets;
      Seen seen =
          run(conf, conf.proxy_protocol[0], tcp("10.0.0.7:5"), {octets.substr(0, cut), octets.substr(cut)}, c.end);
      // Of a request that is cut, its beginning is enough to say that it is none of a header's.
      EXPECT_EQ(seen, c.expected) << c.description << ", cut at " << cut;
    }
  }
}

TEST(ProxyHeaders, OneMoreThanDeclaredIsTwiceFromTheListedAndUnlistedFromOthers) {
  const auto conf = client_ip(require);
  EXPECT_EQ(run(conf, forbidding_proxy_rule(), tcp("10.0.0.7:5"), {v1}, End::none).verdict, "header_twice");
  EXPECT_EQ(run(conf, forbidding_proxy_rule(), tcp("192.0.2.7:5"), {v1}, End::none).verdict, "not_listed");
}

TEST(ProxyHeaders, HeadersOverTheCapAreMalformed) {
  auto conf = client_ip(require);
  conf.proxy_max_header_bytes = 16;
  forwarding::PeerInfo peer = tcp("10.0.0.7:5");
  std::string octets = v2();
  octets[15] = 100;
  ProxyHeaders headers(conf, conf.proxy_protocol[0], peer);
  ASSERT_EQ(headers.feed(octets), Status::failed);
  EXPECT_EQ(headers.problem().error, proxy_protocol::Error::v2_length_too_long);
}

TEST(ProxyRule, TheFirstThatNamesThePeerDecidesElseForbid) {
  conf::ClientIp conf;
  conf.proxy_protocol.push_back({cidrs({"10.0.0.0/24"}), require, any});
  conf.proxy_protocol.push_back({cidrs({"10.0.0.0/8"}), accept, any});
  conf.proxy_protocol.push_back({cidrs({}, true), ignore, any});
  const struct {
    const char* description;
    forwarding::PeerInfo peer;
    conf::ProxyPolicy policy;
  } rows[] = {
      {"in the first", tcp("10.0.0.7:1"), require},
      {"in the second alone", tcp("10.1.0.7:1"), accept},
      {"a mapped address is its IPv4 one", tcp("[::ffff:10.0.0.7]:1"), require},
      {"in none", tcp("192.0.2.1:1"), forbid},
      {"a Unix socket", {}, ignore},
  };
  for (const auto& row : rows)
    EXPECT_EQ(proxy_rule_for(conf, row.peer.socket_peer).policy, row.policy) << row.description;
}

TEST(ProxyProblem, EveryCauseNamesTheMistakeAndWhatToChange) {
  const struct {
    ProxyFailure cause;
    std::vector<const char*> said;
  } rows[] = {
      {ProxyFailure::plain_http, {"plain HTTP", "load balancer", "10.0.0.7", "policy: accept"}},
      {ProxyFailure::tls_client_hello, {"TLS ClientHello", "load balancer"}},
      {ProxyFailure::bare_probe, {"without an octet"}},
      {ProxyFailure::not_listed, {"says forbid", "10.0.0.7", "policy: require"}},
      {ProxyFailure::header_twice, {"proxy_header_count: 2"}},
      {ProxyFailure::v1_not_allowed, {"PROXY v1", "version: any"}},
      {ProxyFailure::v2_not_allowed, {"PROXY v2", "version: any"}},
      {ProxyFailure::timed_out, {"proxy_header_timeout", "3s"}},
      {ProxyFailure::cut_short, {"in the middle"}},
      {ProxyFailure::malformed, {"checksum is wrong", "its sender"}},
      {ProxyFailure::no_header, {"535348"}},
  };
  const auto conf = client_ip(forbid);
  for (const auto& row : rows) {
    const ProxyProblem problem{row.cause, proxy_protocol::Error::v2_bad_crc32c, "SSH"};
    const std::string text = explain_proxy_problem(problem, conf, conf.proxy_protocol[0], tcp("10.0.0.7:5"));
    for (const char* said : row.said) EXPECT_NE(text.find(said), text.npos) << to_string(row.cause) << ": " << text;
    EXPECT_EQ(text.find('\n'), text.npos);
  }
  EXPECT_EQ(std::size(rows) + 1, static_cast<std::size_t>(ProxyFailure::count_)) << "`none` apart, every cause";
  const std::string unlisted =
      explain_proxy_problem({ProxyFailure::not_listed, {}, {}}, conf, forbidding_proxy_rule(), tcp("192.0.2.1:5"));
  EXPECT_NE(unlisted.find("does not list"), unlisted.npos) << unlisted;
  const std::string too_long =
      explain_proxy_problem({ProxyFailure::malformed, proxy_protocol::Error::v2_length_too_long, {}}, conf,
                            conf.proxy_protocol[0], tcp("10.0.0.7:5"));
  EXPECT_NE(too_long.find("if the sender is yours, raise `proxy_max_header_bytes` (4KiB)"), too_long.npos) << too_long;
}

}  // namespace
}  // namespace telltale::proxy
