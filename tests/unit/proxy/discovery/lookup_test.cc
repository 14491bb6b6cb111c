#include "proxy/discovery/lookup.h"

#include "tests/unit/proxy/discovery/support.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>

namespace telltale::proxy {
namespace {

using namespace test;
using Kind = conf::DnsName::Kind;

const char* type_name(dns::RecordType type) {
  return type == dns::RecordType::a ? "A" : type == dns::RecordType::aaaa ? "AAAA" : "SRV";
}

/// A server: what it says to `A shop.test`; to everything else, that there is no such name.
using Zone = std::map<std::string, DnsReply>;

struct Finished {
  std::string asked;  // every question, in order
  LookupResult result;
};

Finished run(Lookup lookup, const Zone& zone) {
  Finished out;
  std::deque<Question> open;
  const auto add = [&](const std::vector<Question>& questions) {
    for (const auto& each : questions) {
      out.asked += (out.asked.empty() ? "" : ", ") + std::string(type_name(each.type)) + " " + each.name;
      open.push_back(each);
    }
  };
  add(lookup.begin());
  while (!open.empty()) {
    EXPECT_FALSE(lookup.is_done());
    const Question next = open.front();
    open.pop_front();
    const auto found = zone.find(std::string(type_name(next.type)) + " " + next.name);
    add(lookup.take(next, found == zone.end() ? no_such_name : found->second));
  }
  EXPECT_TRUE(lookup.is_done());
  out.result = lookup.take_result();
  return out;
}

std::vector<net::IpAddress> no_hosts(std::string_view) { return {}; }

/// `host: A OUTCOME ADDRESSES; AAAA …`
std::string summary(const LookupResult& result) {
  std::string text = result.srv ? "SRV " + std::string(to_string(result.srv->outcome)) + "\n" : "";
  const auto add = [&](const char* type, const DnsReply& reply) {
    text += std::string(" ") + type + " " + to_string(reply.outcome);
    for (const auto& address : reply.addresses) text += " " + address.to_string();
  };
  for (const auto& host : result.hosts) {
    text += host.host + ":";
    add("A", host.a);
    add("AAAA", host.aaaa);
    text += "\n";
  }
  return text;
}

TEST(Lookup, OfAddresses) {
  const SearchList none, search{{"web.test", "test"}, 1};
  const struct {
    const char* description;
    SearchList search;
    std::string name;
    Zone zone;
    std::string asked, result;
  } cases[] = {
      {"both families together",
       none,
       "shop.test",
       {{"A shop.test", addresses({"10.0.0.1"})}, {"AAAA shop.test", addresses({"2001:db8::1"})}},
       "A shop.test, AAAA shop.test",
       "shop.test: A answered 10.0.0.1 AAAA answered 2001:db8::1\n"},
      {"there is none",
       none,
       "shop.test",
       {},
       "A shop.test, AAAA shop.test",
       "shop.test: A no_such_name AAAA no_such_name\n"},
      {"through the search list",
       search,
       "shop",
       {{"A shop.test", addresses({"10.0.0.1"})}, {"AAAA shop.test", no_data}},
       "A shop.web.test, AAAA shop.web.test, A shop.test, AAAA shop.test",
       "shop: A answered 10.0.0.1 AAAA no_data\n"},
      {"one family is enough: that of the next domain is another host's",
       search,
       "shop",
       {{"A shop.web.test", no_data},
        {"AAAA shop.web.test", addresses({"2001:db8::1"})},
        {"A shop.test", addresses({"10.0.0.9"})}},
       "A shop.web.test, AAAA shop.web.test",
       "shop: A no_data AAAA answered 2001:db8::1\n"},
      {"a domain that the server fails for is passed over",
       search,
       "shop",
       {{"A shop.web.test", server_failed},
        {"AAAA shop.web.test", server_failed},
        {"A shop.test", addresses({"10.0.0.1"})}},
       "A shop.web.test, AAAA shop.web.test, A shop.test, AAAA shop.test",
       "shop: A answered 10.0.0.1 AAAA no_such_name\n"},
      {"but then it is not known that there is none",
       search,
       "shop",
       {{"A shop.web.test", no_data}, {"AAAA shop.web.test", server_failed}},
       "A shop.web.test, AAAA shop.web.test, A shop.test, AAAA shop.test, A shop, AAAA shop",
       "shop: A server_failed AAAA server_failed\n"},
      {"silence ends the search",
       search,
       "shop",
       {{"A shop.web.test", timed_out}, {"A shop.test", addresses({"10.0.0.9"})}},
       "A shop.web.test, AAAA shop.web.test",
       "shop: A timed_out AAAA no_such_name\n"},
      {"in none of the domains",
       search,
       "shop",
       {},
       "A shop.web.test, AAAA shop.web.test, A shop.test, AAAA shop.test, A shop, AAAA shop",
       "shop: A no_such_name AAAA no_such_name\n"},
  };
  for (const auto& each : cases) {
    const Finished got = run(Lookup({Kind::address, each.name, 80}, each.search, no_hosts), each.zone);
    EXPECT_EQ(got.asked, each.asked) << each.description;
    EXPECT_EQ(summary(got.result), each.result) << each.description;
  }
}

TEST(Lookup, DoesNotLeaveTheDomainWhereItWasFoundBecauseOfAFailure) {
  const SearchList search{{"a.test", "b.test"}, 1};
  const auto look_up = [&](Kind kind, std::string found_as, const Zone& zone) {
    return run(Lookup({kind, "shop", 80}, search, no_hosts, std::move(found_as)), zone);
  };
  Zone zone{{"A shop.b.test", addresses({"10.0.0.1"})}};
  Finished got = look_up(Kind::address, "", zone);
  EXPECT_EQ(got.result.found_as, "shop.b.test");

  zone["A shop.a.test"] = server_failed;
  got = look_up(Kind::address, "shop.b.test", zone);
  EXPECT_EQ(got.result.found_as, "shop.b.test") << "a failure before it does not matter";

  zone["A shop.b.test"] = server_failed;
  zone["A shop"] = addresses({"10.0.0.9"});
  got = look_up(Kind::address, "shop.b.test", zone);
  EXPECT_EQ(got.result.found_as, "");
  EXPECT_EQ(summary(got.result), "shop: A server_failed AAAA no_such_name\n") << "not another one's host";
  EXPECT_EQ(look_up(Kind::address, "", zone).result.found_as, "shop") << "who was never found has none to lose";

  zone = {{"SRV shop.a.test", server_failed}, {"SRV shop.b.test", services({{1, 1, 80, "x"}})}};
  EXPECT_EQ(look_up(Kind::srv, "", zone).result.found_as, "shop.b.test");
  got = look_up(Kind::srv, "shop.a.test", zone);
  EXPECT_EQ(got.result.found_as, "");
  EXPECT_EQ(summary(got.result), "SRV server_failed\n");
}

TEST(Lookup, OfSrvRecords) {
  const DnsReply two = services({{1, 10, 8001, "a.test"}, {1, 20, 8002, "b.test"}, {2, 0, 8003, "a.test"}});
  const SearchList none, search{{"web.test"}, 5};
  const struct {
    const char* description;
    SearchList search;
    Zone zone;
    std::string asked, result;
  } cases[] = {
      {"each target once",
       none,
       {{"SRV _http._tcp.test", two}, {"A a.test", addresses({"10.0.0.1"})}, {"A b.test", addresses({"10.0.0.2"})}},
       "SRV _http._tcp.test, A a.test, AAAA a.test, A b.test, AAAA b.test",
       "SRV answered\na.test: A answered 10.0.0.1 AAAA no_such_name\n"
       "b.test: A answered 10.0.0.2 AAAA no_such_name\n"},
      {"targets are absolute, whatever the search list says",
       search,
       {{"SRV _http._tcp.test.web.test", services({{1, 10, 8001, "a"}})}},
       "SRV _http._tcp.test.web.test, A a, AAAA a",
       "SRV answered\na: A no_such_name AAAA no_such_name\n"},
      {"the records go through the search list",
       search,
       {{"SRV _http._tcp.test", services({{1, 10, 8001, "a"}})}},
       "SRV _http._tcp.test.web.test, SRV _http._tcp.test, A a, AAAA a",
       "SRV answered\na: A no_such_name AAAA no_such_name\n"},
      {"a failure on the way and nothing at the end",
       search,
       {{"SRV _http._tcp.test.web.test", server_failed}},
       "SRV _http._tcp.test.web.test, SRV _http._tcp.test",
       "SRV server_failed\n"},
      {"decidedly not there (RFC 2782)",
       none,
       {{"SRV _http._tcp.test", services({{0, 0, 0, ""}})}},
       "SRV _http._tcp.test",
       "SRV answered\n"},
      {"there are none", none, {}, "SRV _http._tcp.test", "SRV no_such_name\n"},
  };
  for (const auto& each : cases) {
    const Finished got = run(Lookup({Kind::srv, "_http._tcp.test", 0}, each.search, no_hosts), each.zone);
    EXPECT_EQ(got.asked, each.asked) << each.description;
    EXPECT_EQ(summary(got.result), each.result) << each.description;
  }
}

/// Which ones do not depend on the order, nor on weights.
TEST(Lookup, AsksForTheTargetsOf256RecordsAtMost) {
  constexpr std::uint16_t more = 300;
  for (const std::uint16_t weight : {1, 400}) {
    std::vector<dns::SrvRecord> records;
    for (std::uint16_t i = more; i > 0; --i) {
      const auto priority = static_cast<std::uint16_t>(i > 290 ? 0 : 1);
      const auto own = static_cast<std::uint16_t>(weight == 1 ? i : weight - i);
      records.push_back({priority, own, 80, std::to_string(1000 + i) + ".test"});
    }
    const Finished got = run(Lookup({Kind::srv, "_http._tcp.test.", 0}, {}, no_hosts),
                             {{"SRV _http._tcp.test", services(std::move(records))}});
    EXPECT_EQ(got.result.left_out, 44u);
    ASSERT_EQ(got.result.hosts.size(), 256u);
    EXPECT_EQ(got.result.srv->services.size(), 256u);
    EXPECT_EQ(got.result.hosts[0].host, "1291.test");
    EXPECT_EQ(got.result.hosts[9].host, "1300.test");
    EXPECT_EQ(got.result.hosts[10].host, "1001.test");
    EXPECT_EQ(got.result.hosts[255].host, "1246.test");
  }
}

TEST(Lookup, LooksIntoTheHostsFileFirst) {
  const auto hosts = [](std::string_view name) {
    return name == "shop" || name == "a.test" ? ips({"10.1.0.1", "2001:db8::1"}) : ips({});
  };
  const SearchList search{{"web.test"}, 1};
  Finished got =
      run(Lookup({Kind::address, "shop", 80}, search, hosts), {{"A shop.web.test", addresses({"10.0.0.9"})}});
  EXPECT_EQ(got.asked, "");
  EXPECT_EQ(summary(got.result), "shop: A answered 10.1.0.1 AAAA answered 2001:db8::1\n");
  EXPECT_EQ(got.result.hosts[0].a.ttl, Lookup::hosts_ttl);

  got = run(Lookup({Kind::srv, "_http._tcp.test.", 0}, search, hosts),
            {{"SRV _http._tcp.test", services({{1, 1, 80, "a.test"}, {1, 1, 80, "b.test"}})}});
  EXPECT_EQ(got.asked, "SRV _http._tcp.test, A b.test, AAAA b.test");
  EXPECT_EQ(summary(got.result),
            "SRV answered\na.test: A answered 10.1.0.1 AAAA answered 2001:db8::1\n"
            "b.test: A no_such_name AAAA no_such_name\n");
}

}  // namespace
}  // namespace telltale::proxy
