#include "proxy/routing/route_table.h"

#include <gtest/gtest.h>

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
