#include "proxy/discovery/followed_name.h"

#include "tests/unit/proxy/discovery/support.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;
using namespace test;
using Kind = conf::DnsName::Kind;

const conf::Dns conf{.min_ttl = 1000ms, .max_ttl = 300'000ms, .retry = 5000ms};

LookupResult host(DnsReply a, DnsReply aaaa = no_data) {
  return {.srv = {}, .hosts = {{"shop.test", std::move(a), std::move(aaaa)}}};
}
LookupResult records(DnsReply srv, std::vector<HostReplies> hosts = {}) {
  return {.srv = std::move(srv), .hosts = std::move(hosts)};
}

/// What there is after a lookup, in words.
struct Story {
  explicit Story(Kind kind = Kind::address)
      : name({kind, kind == Kind::srv ? "_http._tcp.test" : "shop.test", 80}, conf, route) {}

  static bool route(const net::IpAddress& address) { return address.is_v4() || address == ip("2001:db8::1"); }

  /// `ADDRESSES | STATE[ changed] | again in N ms`
  std::string after(LookupResult result, std::chrono::seconds later = 1s) {
    now += later;
    const auto outcome = name.take(std::move(result), now);
    log.clear();
    for (const auto& message : outcome.messages) {
      log += std::string(log.empty() ? "" : "\n") + (message.is_warning ? "W " : "I ") + message.text;
    }
    counted = outcome.result;
    std::string text;
    for (const auto& each : to_texts(name.answer(), name.name().kind)) text += each + " ";
    return text + "| " + to_string(name.state()) + (outcome.changed ? " changed" : "") + " | " +
           std::to_string(outcome.ask_again.count());
  }

  FollowedName name;
  FollowedName::Time now{1'000'000s};
  std::string log;
  LookupOutcome counted{};
};

TEST(FollowedName, IsAskedAgainWhenItsTtlIsOver) {
  Story story;
  EXPECT_FALSE(story.name.is_settled());
  EXPECT_EQ(story.name.state(), NameState::waiting);
  EXPECT_EQ(story.after(host(addresses({"10.0.0.1", "10.0.0.2"}, 30))), "10.0.0.1 10.0.0.2 | answered changed | 30000");
  EXPECT_TRUE(story.name.is_settled());
  EXPECT_EQ(story.log, "I DNS: shop.test: 10.0.0.1, 10.0.0.2 (TTL 30 s)");
  EXPECT_EQ(story.name.answered(), story.now);
  EXPECT_EQ(story.after(host(addresses({"10.0.0.1", "10.0.0.2"}, 20))), "10.0.0.1 10.0.0.2 | answered | 20000");
  EXPECT_EQ(story.log, "") << "nothing is said when nothing changed";
  EXPECT_EQ(story.after(host(addresses({"10.0.0.1"}, 0))), "10.0.0.1 | answered changed | 1000") << "min_ttl";
  EXPECT_EQ(story.after(host(addresses({"10.0.0.1"}, 86'400))), "10.0.0.1 | answered | 300000") << "max_ttl";
  EXPECT_EQ(story.after(host(addresses({"10.0.0.1"}, 20), addresses({"2001:db8::1"}, 10))),
            "10.0.0.1 2001:db8::1 | answered changed | 10000")
      << "the least of both families";
  EXPECT_EQ(story.counted, LookupOutcome::answered);
}

TEST(FollowedName, AFailureLeavesTheLastGoodAnswer) {
  Story story;
  story.after(host(addresses({"10.0.0.1"})));
  EXPECT_EQ(story.after(host(timed_out, timed_out)), "10.0.0.1 | stale | 5000");
  EXPECT_EQ(story.log, "W DNS: shop.test: A: timed out; the last good answer stays in force");
  EXPECT_EQ(story.counted, LookupOutcome::timed_out);
  EXPECT_EQ(story.name.error(), "A: timed out");
  EXPECT_EQ(story.after(host(server_failed, server_failed), 5s), "10.0.0.1 | stale | 5000");
  EXPECT_EQ(story.log, "") << "once an outage";
  EXPECT_EQ(story.name.since(), story.now - 5s);
  EXPECT_EQ(story.after(host(addresses({"10.0.0.1"}))), "10.0.0.1 | answered | 30000");
  EXPECT_EQ(story.log, "I DNS: shop.test: answered again, after 6 s");
  EXPECT_EQ(story.name.error(), "");
  EXPECT_EQ(story.after(host(failed(LookupOutcome::malformed), no_data)), "10.0.0.1 | stale | 5000");
  EXPECT_EQ(story.log,
            "W DNS: shop.test: A: not a name, or an answer that cannot be read; the last good answer stays in force");
  EXPECT_EQ(story.after(host(addresses({"10.0.0.2"}))), "10.0.0.2 | answered changed | 30000");
  EXPECT_EQ(story.log, "I DNS: shop.test: answered again, after 1 s\nI DNS: shop.test: 10.0.0.2 (TTL 30 s)");
}

TEST(FollowedName, AFailureBeforeTheFirstAnswer) {
  Story story;
  EXPECT_EQ(story.after(host(server_failed, server_failed)), "| waiting | 5000");
  EXPECT_EQ(
      story.log,
      "W DNS: shop.test: A: no server could be reached, or each failed or refused; nobody serves by this name yet");
  EXPECT_TRUE(story.name.is_settled());
  EXPECT_EQ(story.after(host(addresses({"10.0.0.1"}))), "10.0.0.1 | answered changed | 30000");
}

TEST(FollowedName, OneFamilyFailsWhileTheOtherAnswers) {
  Story story;
  story.after(host(addresses({"10.0.0.1"}), addresses({"2001:db8::1"})));
  EXPECT_EQ(story.after(host(addresses({"10.0.0.2"}), timed_out)), "10.0.0.2 2001:db8::1 | answered changed | 5000")
      << "the last good addresses of the family that failed stay";
  EXPECT_EQ(story.log,
            "W DNS: shop.test: AAAA: timed out; the rest of the answer is used, with what was known before\n"
            "I DNS: shop.test: 10.0.0.2, 2001:db8::1 (TTL 30 s)");
  EXPECT_EQ(story.counted, LookupOutcome::timed_out);
  EXPECT_EQ(story.after(host(addresses({"10.0.0.2"}), timed_out)), "10.0.0.2 2001:db8::1 | answered | 5000");
  EXPECT_EQ(story.log, "");
  EXPECT_EQ(story.after(host(timed_out, addresses({"2001:db8::1"}))), "10.0.0.2 2001:db8::1 | answered | 5000");
  EXPECT_EQ(story.after(host(addresses({"10.0.0.2"}), no_data)), "10.0.0.2 | answered changed | 30000")
      << "a family that is conclusively gone";
  EXPECT_EQ(story.after(host(no_data, server_failed)), "10.0.0.2 | stale | 5000")
      << "not known whether there is anything";
  EXPECT_EQ(story.after(host(addresses({"10.0.0.3"}, 3), server_failed)), "10.0.0.3 | answered changed | 3000")
      << "a TTL shorter than `retry`";
}

TEST(FollowedName, VanishesWhenThatIsSaidTwice) {
  Story story;
  story.after(host(addresses({"10.0.0.1"})));
  EXPECT_EQ(story.after(host(no_such_name, no_such_name)), "10.0.0.1 | stale | 5000");
  EXPECT_EQ(story.log,
            "W DNS: shop.test: there is no such name; if that is said again, nobody serves by this name any more");
  EXPECT_EQ(story.after(host(no_such_name, no_such_name)), "| gone changed | 5000");
  EXPECT_EQ(story.log, "W DNS: shop.test: there is no such name; nobody serves by this name");
  EXPECT_EQ(story.counted, LookupOutcome::no_such_name);
  EXPECT_EQ(story.after(host(no_data, no_data)), "| gone | 5000");
  EXPECT_EQ(story.log, "");
  EXPECT_EQ(story.name.error(), "there is no address");
  EXPECT_EQ(story.after(host(timed_out, timed_out)), "| gone | 5000");
  EXPECT_EQ(story.after(host(addresses({"10.0.0.1"}))), "10.0.0.1 | answered changed | 30000");
}

TEST(FollowedName, TwiceMeansInARow) {
  Story story;
  story.after(host(addresses({"10.0.0.1"})));
  EXPECT_EQ(story.after(host(no_data, no_data)), "10.0.0.1 | stale | 5000");
  EXPECT_EQ(story.after(host(timed_out, timed_out)), "10.0.0.1 | stale | 5000");
  EXPECT_EQ(story.after(host(no_data, no_data)), "10.0.0.1 | stale | 5000") << "servers that are not well";
  EXPECT_EQ(story.after(host(addresses({"10.0.0.1"}))), "10.0.0.1 | answered | 30000");
  EXPECT_EQ(story.after(host(no_data, no_data)), "10.0.0.1 | stale | 5000");
  EXPECT_EQ(story.after(host(no_such_name, no_data)), "| gone changed | 5000");
}

TEST(FollowedName, ThatNeverWas) {
  Story story;
  EXPECT_EQ(story.after(host(no_such_name, no_such_name)), "| gone | 5000") << "there is nothing to keep";
  EXPECT_EQ(story.log, "W DNS: shop.test: there is no such name; nobody serves by this name");
}

TEST(FollowedName, AddressesThatLeadNowhere) {
  Story story;
  EXPECT_EQ(story.after(host(addresses({"10.0.0.1"}), addresses({"2001:db8::1", "2001:db8::2"}))),
            "10.0.0.1 2001:db8::1 | answered changed | 30000")
      << "those without a route are left out";
  EXPECT_EQ(story.after(host(no_data, addresses({"2001:db8::2"}))), "2001:db8::2 | answered changed | 30000")
      << "but not where there is only one family: the route may come back";
  EXPECT_EQ(story.after(host(addresses({"0.0.0.0", "10.0.0.1"}))), "10.0.0.1 | answered changed | 30000")
      << "0.0.0.0 is this machine";
  EXPECT_EQ(story.after(host(addresses({"0.0.0.0"}), addresses({"::"}))), "10.0.0.1 | stale | 5000");
  EXPECT_EQ(story.name.error(), "there is no address that can be connected to");
  EXPECT_EQ(story.after(host(addresses({"10.0.0.1"}), addresses({"10.0.0.1"}))), "10.0.0.1 | answered | 30000")
      << "an IPv4-mapped AAAA";
}

TEST(FollowedName, OfSrvRecords) {
  Story story(Kind::srv);
  const DnsReply srv = services({{2, 0, 8003, "c.test"}, {1, 10, 8001, "a.test"}, {1, 20, 8002, "b.test"}}, 60);
  EXPECT_EQ(story.after(records(srv, {{"a.test", addresses({"10.0.0.1"}, 40), no_data},
                                      {"b.test", addresses({"10.0.0.2"}, 50), addresses({"2001:db8::1"}, 50)},
                                      {"c.test", no_such_name, no_such_name}})),
            "10.0.0.1:8001 priority 1 weight 10 10.0.0.2:8002 priority 1 weight 20 "
            "[2001:db8::1]:8002 priority 1 weight 20 | answered changed | 40000")
      << "a target without an address is left out; the least TTL of all";
  EXPECT_EQ(story.counted, LookupOutcome::answered);
  EXPECT_EQ(story.after(records(srv, {{"a.test", timed_out, timed_out},
                                      {"b.test", addresses({"10.0.0.9"}, 50), no_data},
                                      {"c.test", timed_out, timed_out}})),
            "10.0.0.1:8001 priority 1 weight 10 10.0.0.9:8002 priority 1 weight 20 | answered changed | 5000")
      << "a target that cannot be asked keeps its addresses";
  EXPECT_EQ(
      story.log.substr(0, story.log.find('\n')),
      "W DNS: _http._tcp.test: A of a.test: timed out; the rest of the answer is used, with what was known before");
  EXPECT_EQ(story.after(records(server_failed)),
            "10.0.0.1:8001 priority 1 weight 10 10.0.0.9:8002 priority 1 weight 20 | stale | 5000");
  EXPECT_EQ(story.after(records(services({{1, 5, 8001, "a.test"}}), {{"a.test", addresses({"10.0.0.1"}), no_data}})),
            "10.0.0.1:8001 priority 1 weight 5 | answered changed | 30000")
      << "another weight is a change";
  EXPECT_EQ(story.after(records(services({{0, 0, 0, ""}}))), "10.0.0.1:8001 priority 1 weight 5 | stale | 5000");
  EXPECT_EQ(story.after(records(services({{0, 0, 0, ""}}))), "| gone changed | 5000") << "decidedly not there";
  EXPECT_EQ(story.name.error(), "no target has an address");
  story.after(records(services({{1, 1, 80, "a.test"}}), {{"a.test", no_such_name, no_such_name}}));
  EXPECT_EQ(story.name.error(), "no target has an address");
  story.after(records(no_data));
  EXPECT_EQ(story.name.error(), "there are no such records");
}

TEST(FollowedName, TheOrderOfRecordsDoesNotMatter) {
  Story story(Kind::srv);
  const HostReplies a{"a.test", addresses({"10.0.0.1"}), no_data}, b{"b.test", addresses({"10.0.0.2"}), no_data};
  const dns::SrvRecord x{1, 1, 80, "a.test"}, y{1, 1, 80, "b.test"};
  story.after(records(services({x, y}), {a, b}));
  EXPECT_EQ(story.after(records(services({y, x}), {b, a})),
            "10.0.0.1:80 priority 1 weight 1 10.0.0.2:80 priority 1 weight 1 | answered | 30000");
}

TEST(FollowedName, RemembersWhereItWasFound) {
  Story story;
  LookupResult found = host(addresses({"10.0.0.1"}));
  found.found_as = "shop.test.web.test";
  story.after(found);
  EXPECT_EQ(story.name.found_as(), "shop.test.web.test");
  story.after(host(server_failed, server_failed));
  story.after(host(no_data, no_data));
  EXPECT_EQ(story.name.found_as(), "shop.test.web.test");
  story.after(host(no_data, no_data));
  EXPECT_EQ(story.name.found_as(), "") << "gone";
}

TEST(FollowedName, LongAnswersAreCutInTheLog) {
  Story story;
  DnsReply many = addresses({});
  for (int i = 1; i <= 10; ++i) many.addresses.push_back(net::IpAddress::v4(10, 0, 0, static_cast<std::uint8_t>(i)));
  story.after(host(many));
  EXPECT_EQ(story.log,
            "I DNS: shop.test: 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7, 10.0.0.8 and 2 "
            "more (TTL 30 s)");
}

/// 10.0.0.0 and on.
DnsReply many_addresses(std::uint32_t count) {
  DnsReply reply{.ttl = 30s};
  for (std::uint32_t i = 0; i < count; ++i) {
    reply.addresses.push_back(net::IpAddress::v4(10, static_cast<std::uint8_t>(i >> 16),
                                                 static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)));
  }
  return reply;
}

TEST(FollowedName, UsesTheFirst10000AddressesAndSaysSoOnce) {
  Story story;
  story.after(host(many_addresses(10'000)));
  EXPECT_EQ(story.log.find("left out"), std::string::npos);
  EXPECT_EQ(story.after(host(many_addresses(10'001), addresses({"2001:db8::1"}))).find("changed"), std::string::npos);
  EXPECT_EQ(story.log, "W DNS: shop.test: more than 10000 addresses: the last 2 are left out");
  EXPECT_EQ(count_addresses(story.name.answer()), 10'000u);
  EXPECT_EQ(story.name.answer()[0].addresses.back(), ip("10.0.39.15"));
  story.after(host(many_addresses(10'005)));
  EXPECT_EQ(story.log, "") << "once";
  story.after(host(many_addresses(10'000)));
  EXPECT_EQ(story.log, "");
  story.after(host(many_addresses(10'001)));
  EXPECT_EQ(story.log, "W DNS: shop.test: more than 10000 addresses: the last 1 are left out") << "again";
}

TEST(FollowedName, SaysOnceThatRecordsAreLeftOut) {
  Story story(Kind::srv);
  LookupResult result = records(services({{0, 1, 80, "a.test"}}), {{"a.test", addresses({"10.0.0.1"}), no_data}});
  result.left_out = 3;
  for (const char* expected :
       {"W DNS: _http._tcp.test: more than 256 SRV records (by priority, target, port): the last 3 are left out\n"
        "I DNS: _http._tcp.test: 10.0.0.1:80 priority 0 weight 1 (TTL 30 s)",
        ""}) {
    story.after(result);
    EXPECT_EQ(story.log, expected);
  }
}

}  // namespace
}  // namespace telltale::proxy
