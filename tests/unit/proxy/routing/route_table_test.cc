#include "proxy/routing/route_table.h"

#include "protocol/proxy_protocol/serializer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

namespace telltale::proxy {
namespace {

conf::Route route(std::string host, std::string path, conf::PathType type = conf::PathType::prefix) {
  conf::Route r;
  r.name = (host.empty() ? "any" : host) + (type == conf::PathType::exact ? " =" : " ") + path;
  r.match = {std::move(host), std::move(path), type};
  return r;
}

std::string match(const RouteTable& table, std::string_view host, std::string_view path) {
  const conf::Route* found = table.match(host, path);
  return found ? found->name : "-";
}

struct Case {
  const char* description;
  const char* host;
  const char* path;
  const char* route;
};

void check(const std::vector<conf::Route>& routes, const std::vector<Case>& cases) {
  const RouteTable table(routes);
  for (const Case& c : cases) {
    SCOPED_TRACE(c.description);
    EXPECT_EQ(match(table, c.host, c.path), c.route) << c.host << c.path;
  }
}

TEST(RouteTable, FindsTheHostBeforeThePath) {
  const std::vector<conf::Route> routes = {
      route("shop.example.com", "/api"),
      route("*.example.com", "/"),
      route("*.eu.example.com", "/"),
      route("*.com", "/com"),
      route("", "/fallback"),
      route("10.0.0.1", "/"),
      route("[2001:db8::1]", "/"),
      route("UPPER.Example.org", "/"),
      route("dotted.example.net.", "/"),
      route("*.Wild.example.org.", "/"),
      route("shop.example.com", "/web"),
  };
  check(routes, {
                    {"exact host", "shop.example.com", "/api/x", "shop.example.com /api"},
                    {"second route of the same host", "shop.example.com", "/web", "shop.example.com /web"},
                    {"any case", "SHOP.Example.COM", "/api", "shop.example.com /api"},
                    {"a trailing dot is ignored", "shop.example.com.", "/api", "shop.example.com /api"},
                    {"two trailing dots are another name", "shop.example.com..", "/api", "-"},
                    {"no path of the exact host: the wildcard's", "shop.example.com", "/other", "*.example.com /"},
                    {"wildcard of one label", "a.example.com", "/", "*.example.com /"},
                    {"wildcard of several labels", "a.b.c.example.com", "/", "*.example.com /"},
                    {"the longest suffix first", "a.eu.example.com", "/", "*.eu.example.com /"},
                    {"a wildcard is not the name itself, but the next wildcard may be", "eu.example.com", "/",
                     "*.example.com /"},
                    {"a wildcard never matches its bare suffix", "example.com", "/", "-"},
                    {"a shorter suffix is tried for the bare one", "example.com", "/com", "*.com /com"},
                    {"an empty label is none", ".example.com", "/", "-"},
                    {"an empty label inside is none", "a..example.com", "/com", "*.com /com"},
                    {"a suffix is cut at labels only", "notexample.com", "/", "-"},
                    {"unknown host falls to any", "nowhere.test", "/fallback/1", "any /fallback"},
                    {"unknown host, no path", "nowhere.test", "/x", "-"},
                    {"no host at all", "", "/fallback", "any /fallback"},
                    {"a dot alone", ".", "/fallback", "any /fallback"},
                    {"IPv4 host", "10.0.0.1", "/", "10.0.0.1 /"},
                    {"IPv6 host keeps its brackets", "[2001:DB8::1]", "/", "[2001:db8::1] /"},
                    {"configured in upper case", "upper.example.ORG", "/", "UPPER.Example.org /"},
                    {"configured with a trailing dot", "dotted.example.net", "/", "dotted.example.net. /"},
                    {"wildcard configured in any case, with a dot", "x.wild.example.org", "/", "*.Wild.example.org. /"},
                });
}

TEST(RouteTable, TakesExactPathThenLongestPrefixByElement) {
  const auto exact = conf::PathType::exact;
  const std::vector<conf::Route> routes = {
      route("h", "/foo"),
      route("h", "/foo/bar/"),
      route("h", "/foo/bar/baz"),
      route("h", "/foo/bar", exact),
      route("h", "/x/", exact),
      route("h", "/trailing/"),
      route("h", "/only", exact),
      route("any.test", ""),
      route("root.test", "/"),
      route("both.test", "/same"),
      route("both.test", "/same", exact),
  };
  check(routes, {
                    {"prefix itself", "h", "/foo", "h /foo"},
                    {"prefix with a slash", "h", "/foo/", "h /foo"},
                    {"element below", "h", "/foo/a", "h /foo"},
                    {"not part of an element", "h", "/foobar", "-"},
                    {"exact wins over a prefix of the same text", "h", "/foo/bar", "h =/foo/bar"},
                    {"longest prefix", "h", "/foo/bar/x", "h /foo/bar/"},
                    {"longest prefix, with its slash alone", "h", "/foo/bar/", "h /foo/bar/"},
                    {"longest prefix of three", "h", "/foo/bar/baz/q", "h /foo/bar/baz"},
                    {"element only begins alike", "h", "/foo/bar/bazaar", "h /foo/bar/"},
                    {"double slash is an empty element", "h", "/foo//bar", "h /foo"},
                    {"paths compare with case", "h", "/FOO", "-"},
                    {"nothing is decoded", "h", "/%66oo", "-"},
                    {"exact path keeps its slash", "h", "/x/", "h =/x/"},
                    {"exact path without the slash is another", "h", "/x", "-"},
                    {"a prefix written with a slash matches without", "h", "/trailing", "h /trailing/"},
                    {"exact is not a prefix", "h", "/only/more", "-"},
                    {"no path configured: any path", "any.test", "/whatever", "any.test "},
                    {"no path configured: OPTIONS *", "any.test", "*", "any.test "},
                    {"root: any path", "root.test", "/whatever", "root.test /"},
                    {"root: empty path", "root.test", "", "root.test /"},
                    {"exact beside a prefix of one text", "both.test", "/same", "both.test =/same"},
                    {"prefix beside an exact of one text", "both.test", "/same/", "both.test /same"},
                });
}

TEST(RouteTable, KeepsTheFirstOfEqualRoutes) {
  std::vector<conf::Route> routes = {route("h", "/a"), route("H.", "/a/"), route("", "/"), route("*", "")};
  check(routes, {{"same host and prefix in other spellings", "h", "/a", "h /a"}, {"any host", "x", "/", "any /"}});
}

std::string tlv(int type, std::string_view value) {
  std::string out;
  EXPECT_TRUE(proxy_protocol::append_tlv(out, proxy_protocol::TlvType{static_cast<std::uint8_t>(type)}, value));
  return out;
}

struct Condition {
  const char* name;
  const char* text;
};
const conf::Route* match_tlvs(const RouteTable& table, const std::string& tlvs) {
  return table.match("h", "/", {tlvs});
}
conf::Route with_tlvs(conf::Route r, std::initializer_list<Condition> conditions) {
  for (const Condition& each : conditions) {
    const auto selector = proxy_protocol::parse_tlv_selector(each.name).value();
    r.match.conditions.push_back(
        {{conf::ConnectionTrait::Of::tlv, selector}, proxy_protocol::tlv_octets(each.text, selector).value()});
    r.name += std::string(" ") + each.name + "=" + each.text;
  }
  std::ranges::sort(r.match.conditions, {}, &conf::Condition::trait);
  return r;
}

TEST(RouteTable, TriesRoutesThatAskForTlvsFirst) {
  const auto exact = conf::PathType::exact;
  const std::vector<conf::Route> routes = {
      route("h", "/"),
      with_tlvs(route("h", "/"), {{"aws_vpce_id", "vpce-1"}}),
      with_tlvs(route("h", "/"), {{"aws_vpce_id", "vpce-2"}}),
      with_tlvs(route("h", "/"), {{"aws_vpce_id", "vpce-1"}, {"authority", "a"}}),
      with_tlvs(route("h", "/"), {{"azure_link_id", "7"}}),
      with_tlvs(route("h", "/"), {{"aws_vpce_id", "vpce-1"}}),
      with_tlvs(route("h", "/deep"), {{"aws_vpce_id", "vpce-1"}}),
      with_tlvs(route("h", "/exact", exact), {{"aws_vpce_id", "vpce-1"}}),
      with_tlvs(route("only.tlv", ""), {{"0xE3", "x"}}),
      with_tlvs(route("*.tlv", ""), {{"0xE3", "y"}}),
      route("", "/fallback"),
  };
  const std::string one = tlv(0xea, "\x01vpce-1"), two = tlv(0xea, "\x01vpce-2"), a = tlv(2, "a");
  const std::string seven = tlv(0xee, std::string_view("\x01\x07\0\0\0", 5));
  struct {
    const char* description;
    const char* host;
    const char* path;
    std::string tlvs;
    const char* route;
  } const cases[] = {
      {"no TLVs", "h", "/x", "", "h /"},
      {"other TLVs", "h", "/x", a, "h /"},
      {"another value", "h", "/x", tlv(0xea, "\x01vpce-3"), "h /"},
      {"a longer value", "h", "/x", tlv(0xea, "\x01vpce-11"), "h /"},
      {"a shorter value", "h", "/x", tlv(0xea, "\x01vpce-"), "h /"},
      {"another subtype", "h", "/x", tlv(0xea, "\x02vpce-1"), "h /"},
      {"its value", "h", "/x", one, "h / aws_vpce_id=vpce-1"},
      {"the other's value", "h", "/x", a + two, "h / aws_vpce_id=vpce-2"},
      {"the first of two TLVs counts", "h", "/x", two + one, "h / aws_vpce_id=vpce-2"},
      {"more of them go first", "h", "/x", one + a, "h / aws_vpce_id=vpce-1 authority=a"},
      {"else the first in the file", "h", "/x", seven + one, "h / aws_vpce_id=vpce-1"},
      {"else the first in the file, the other way", "h", "/x", seven + tlv(0xea, "\x01nope"), "h / azure_link_id=7"},
      {"a longer prefix", "h", "/deep/x", one, "h /deep aws_vpce_id=vpce-1"},
      {"a longer prefix that does not fit: the shorter one's", "h", "/deep/x", two, "h / aws_vpce_id=vpce-2"},
      {"an exact path", "h", "/exact", one, "h =/exact aws_vpce_id=vpce-1"},
      {"an exact path that does not fit", "h", "/exact", a, "h /"},
      {"a host that does not fit: the next one's", "only.tlv", "/", tlv(0xe3, "y"), "*.tlv  0xE3=y"},
      {"none of them fits", "only.tlv", "/", tlv(0xe3, "z"), "-"},
      {"none of them fits: any host's", "only.tlv", "/fallback", tlv(0xe3, "z"), "any /fallback"},
      {"a section that is cut", "h", "/x", one.substr(0, one.size() - 1), "h /"},
  };
  const RouteTable table(routes);
  for (const auto& c : cases) {
    const conf::Route* found = table.match(c.host, c.path, {c.tlvs});
    EXPECT_EQ(found != nullptr ? found->name : "-", c.route) << c.description;
  }
  EXPECT_EQ(table.match("h", "/", {one}), &routes[1]) << "the first of two that ask for the same";
}

TEST(RouteTable, HoldsManyTlvValuesOfOnePath) {
  std::vector<conf::Route> routes;
  for (std::size_t i = 0; i < 10'000; ++i) {
    const std::string id = std::to_string(i);
    routes.push_back(with_tlvs(route("", "/"), {{"gcp_psc_connection_id", id.c_str()}}));
  }
  const RouteTable table(routes);
  for (std::size_t i = 0; i < routes.size(); ++i) {
    ASSERT_EQ(match_tlvs(table, tlv(0xe0, routes[i].match.conditions[0].octets)), &routes[i]);
  }
  EXPECT_EQ(match_tlvs(table, tlv(0xe0, std::string(8, '\xff'))), nullptr);
}

TEST(RouteTable, HasNoRouteWhenEmpty) { check({}, {{"nothing configured", "h", "/", "-"}}); }

TEST(RouteTable, StandsHostileHostsAndPaths) {
  const std::vector<conf::Route> routes = {route("*.a", "/"), route("", "/p")};
  const RouteTable table(routes);
  std::string dots(30'000, '.'), labels, slashes(100'000, '/');
  while (labels.size() < 253) labels += "a.";
  labels += "a";
  EXPECT_EQ(match(table, dots, "/p"), "any /p");
  EXPECT_EQ(match(table, labels, "/p"), "*.a /") << "127 labels";
  EXPECT_EQ(match(table, labels + labels, "/p"), "any /p") << "longer than a name can be";
  EXPECT_EQ(match(table, "x", slashes), "-");
  EXPECT_EQ(match(table, "x", "/p" + slashes), "any /p");
  EXPECT_EQ(match(table, std::string_view("a\0.a", 4), "/"), "*.a /");
}

TEST(RouteTable, MatchesEveryPrefixOfAPathAtItsElementsOnly) {
  const std::string configured = "/one/two/three";
  const std::vector<conf::Route> routes = {route("h", configured)};
  const RouteTable table(routes);
  const std::string path = configured + "/four/five";
  for (std::size_t size = 0; size <= path.size(); ++size) {
    const bool expected = size == configured.size() || (size > configured.size() && path[configured.size()] == '/');
    EXPECT_EQ(table.match("h", path.substr(0, size)) != nullptr, expected) << path.substr(0, size);
  }
}

TEST(RouteTable, LookUpVisitsAFewSlotsForAnyNumberOfHosts) {
  for (std::size_t hosts : {10u, 1'000u, 30'000u}) {
    std::vector<conf::Route> routes;
    for (std::size_t i = 0; i < hosts; ++i) {
      routes.push_back(route("shop-" + std::to_string(i) + ".example.com", "/"));
      routes.push_back(route("*.tenant-" + std::to_string(i) + ".example.com", "/"));
    }
    const RouteTable table(routes);
    EXPECT_LE(table.longest_probe(), 40u) << hosts;
    for (std::size_t i = 0; i < hosts; i += hosts / 10) {
      ASSERT_EQ(table.match("SHOP-" + std::to_string(i) + ".example.com", "/x"), &routes[2 * i]);
      ASSERT_EQ(table.match("a.b.tenant-" + std::to_string(i) + ".example.com", "/x"), &routes[2 * i + 1]);
    }
  }
}

TEST(RouteTable, HoldsManyPathsOfOneHost) {
  std::vector<conf::Route> routes;
  for (std::size_t i = 0; i < 10'000; ++i) routes.push_back(route("h", "/service/" + std::to_string(i)));
  const RouteTable table(routes);
  for (std::size_t i = 0; i < routes.size(); ++i) {
    ASSERT_EQ(table.match("h", "/service/" + std::to_string(i) + "/item"), &routes[i]);
  }
  EXPECT_EQ(table.match("h", "/service"), nullptr);
  EXPECT_EQ(table.match("h", "/service/10000"), nullptr);
}

}  // namespace
}  // namespace telltale::proxy
