#include "proxy/discovery/dns_client.h"

#include "tests/unit/proxy/discovery/dnsmasq.h"
#include "tests/unit/proxy/discovery/fake_dns.h"
#include "tests/unit/proxy/discovery/support.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <set>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace test;
using dns::RecordType;
using Query = FakeDns::Query;

const std::string ip1 = "\x0a\0\0\x01"s;

struct DnsClientTest : testing::Test {
  boost::asio::io_context io{1};
  TemporaryDirectory directory;
  std::string resolv_conf = directory / "resolv.conf";
  conf::Dns conf{.timeout = 20s, .attempts = 2};  // those that are about silence set their own

  DnsReply ask(Resolver& client, const std::string& name, RecordType type = RecordType::a) {
    std::optional<DnsReply> reply;
    client.ask({name, type}, [&](DnsReply got) { reply = std::move(got); });
    EXPECT_FALSE(reply) << "never from within the call";
    run_until(io, [&] { return reply.has_value(); });
    return reply ? *reply : DnsReply{};
  }
  /// `OUTCOME ADDRESS … ttl N`
  std::string told(Resolver& client, const std::string& name, RecordType type = RecordType::a) {
    const DnsReply reply = ask(client, name, type);
    std::string text = to_string(reply.outcome);
    for (const auto& each : reply.addresses) text += " " + each.to_string();
    for (const auto& each : reply.services) text += " " + each.target + ":" + std::to_string(each.port);
    if (reply.outcome == LookupOutcome::answered) text += " ttl " + std::to_string(reply.ttl.count());
    return text;
  }
};

TEST_F(DnsClientTest, Outcomes) {
  std::function<std::string(const Query&)> handler;
  FakeDns server(io, [&](const Query& query) { return handler(query); });
  conf.servers = {server.address()};
  DnsClient client(io, conf, resolv_conf);
  conf.timeout = 30ms;
  DnsClient hasty(io, conf, resolv_conf);
  const auto rcode = [](unsigned code) {
    return [code](const Query& query) { return FakeDns::reply(query, FakeDns::answer(query, code)); };
  };
  const struct {
    const char* description;
    std::function<std::string(const Query&)> handler;
    std::string expected;
    std::size_t queries;
  } cases[] = {
      {"answered", [](const Query& query) { return FakeDns::reply(query, FakeDns::answer(query).answer(1, 30, ip1)); },
       "answered 10.0.0.1 ttl 30", 1},
      {"no data", rcode(0), "no_data", 1},
      {"no such name", rcode(3), "no_such_name", 1},
      {"SERVFAIL: asked again", rcode(2), "server_failed", 2},
      {"NOTIMP", rcode(4), "server_failed", 2},
      {"REFUSED", rcode(5), "server_failed", 2},
      {"an answer that cannot be read",
       [](const Query& query) { return FakeDns::reply(query, FakeDns::answer(query).answer(1, 30, "\x0a")); },
       "malformed", 1},
      {"an alias that leads nowhere",
       [](const Query& query) {
         return FakeDns::reply(query, FakeDns::answer(query).answer(5, 30, dns::test::MessageBuilder::name("x.test")));
       },
       "no_data", 1},
      {"silence", [](const Query&) { return ""s; }, "timed_out", 2},
      {"the answer to another question",
       [](const Query& query) {
         Query other = query;
         other.name = "other.test";
         return FakeDns::reply(query, FakeDns::answer(other).answer(1, 30, ip1));
       },
       "timed_out", 2},
  };
  for (const auto& each : cases) {
    handler = each.handler;
    const std::size_t before = server.queries().size();
    DnsClient& asker = each.expected == "timed_out" ? hasty : client;
    EXPECT_EQ(told(asker, "shop.test"), each.expected) << each.description;
    run_until(io, [&] { return server.queries().size() - before >= each.queries; });  // the last one may be on its way
    EXPECT_EQ(server.queries().size() - before, each.queries) << each.description;
  }
  EXPECT_EQ(told(client, "shop..test"), "malformed") << "not a name";
}

TEST_F(DnsClientTest, ServersAreAskedInTurn) {
  FakeDns failing(io, [](const Query& query) { return FakeDns::reply(query, FakeDns::answer(query, 2)); });
  FakeDns silent(io, [](const Query&) { return ""s; });
  FakeDns closed(io, [](const Query&) { return ""s; });
  FakeDns good(io, [](const Query& query) { return FakeDns::reply(query, FakeDns::answer(query).answer(1, 30, ip1)); });
  conf.servers = {failing.address(), silent.address(), closed.address(), good.address()};
  closed.close();
  conf.timeout = 1s;  // which the failing one and the good one answer within
  DnsClient client(io, conf, resolv_conf);
  EXPECT_EQ(told(client, "shop.test"), "answered 10.0.0.1 ttl 30");
  EXPECT_EQ(failing.queries().size(), 1U);
  EXPECT_EQ(silent.queries().size(), 1U);
}

TEST_F(DnsClientTest, NobodyListens) {
  FakeDns closed(io, [](const Query&) { return ""s; });
  conf.servers = {closed.address()};
  conf.timeout = 30ms;  // nobody is in a hurry to answer
  closed.close();
  DnsClient client(io, conf, resolv_conf);
  EXPECT_EQ(told(client, "shop.test"), "server_failed");
}

TEST_F(DnsClientTest, QuestionsBeyondTheLimitWait) {
  bool answers = false;
  FakeDns server(io, [&](const Query& query) {
    return answers ? FakeDns::reply(query, FakeDns::answer(query).answer(1, 30, ip1)) : ""s;
  });
  conf.servers = {server.address()};
  conf.timeout = 500ms;
  conf.attempts = 10;
  DnsClient client(io, conf, resolv_conf);
  std::size_t answered = 0;
  constexpr std::size_t all = DnsClient::max_in_flight + 20;
  for (std::size_t i = 0; i < all; ++i) {
    client.ask({"n" + std::to_string(i) + ".test", RecordType::a}, [&](const DnsReply& reply) {
      EXPECT_EQ(reply.outcome, LookupOutcome::answered);
      ++answered;
    });
  }
  // The second round of the first ones comes, and still none of the others.
  std::set<std::string> first;
  for (std::size_t i = 0; i < DnsClient::max_in_flight; ++i) first.insert("n" + std::to_string(i) + ".test");
  std::set<std::string> asked;
  run_until(io, [&] {
    for (const Query& query : server.queries()) asked.insert(query.name);
    return asked.size() >= first.size() && server.queries().size() > first.size();
  });
  EXPECT_EQ(asked, first);
  answers = true;
  run_until(io, [&] { return answered == all; });
}

TEST_F(DnsClientTest, NothingComesAfterStop) {
  FakeDns server(io, [](const Query& query) { return FakeDns::reply(query, FakeDns::answer(query, 3)); });
  conf.servers = {server.address()};
  DnsClient client(io, conf, resolv_conf);
  int calls = 0;
  for (int i = 0; i < 3; ++i) {
    client.ask({"shop.test", RecordType::a}, [&](const DnsReply&) {
      ++calls;
      client.stop();
    });
  }
  run_until(io, [&] { return calls > 0; });
  client.ask({"shop.test", RecordType::a}, [&](const DnsReply&) { ++calls; });
  server.close();
  io.restart();
  io.run();
  EXPECT_EQ(calls, 1);
}

TEST_F(DnsClientTest, MayGoWhileItAsks) {
  FakeDns server(io, [](const Query&) { return ""s; });
  conf.servers = {server.address()};
  bool called = false;
  {
    DnsClient client(io, conf, resolv_conf);
    client.ask({"shop.test", RecordType::a}, [&](const DnsReply&) { called = true; });
    run_until(io, [&] { return !server.queries().empty(); });
    client.ask({"more.test", RecordType::a}, [&](const DnsReply&) { called = true; });
  }
  server.close();
  io.restart();
  io.run();
  EXPECT_FALSE(called);
}

TEST_F(DnsClientTest, ReadsTheSearchList) {
  std::ofstream(resolv_conf) << "nameserver 127.0.0.1\nsearch Web.Test. test\noptions ndots:3\n";
  DnsClient client(io, conf, resolv_conf);
  EXPECT_EQ(client.search().domains, (std::vector<std::string>{"web.test", "test"}));
  EXPECT_EQ(client.search().ndots, 3U);
}

TEST_F(DnsClientTest, FollowsResolvConf) {
  std::ofstream(resolv_conf) << "search a.test\n";
  bool answers = false;
  FakeDns server(io, [&](const Query& query) {
    return answers ? FakeDns::reply(query, FakeDns::answer(query).answer(1, 30, ip1)) : ""s;
  });
  conf.servers = {server.address()};
  conf.timeout = 20s;
  DnsClient client(io, conf, resolv_conf);
  std::optional<DnsReply> reply;
  client.ask({"shop.test", RecordType::a}, [&](DnsReply got) { reply = std::move(got); });
  run_until(io, [&] { return server.queries().size() == 1; });
  std::ofstream(resolv_conf + ".new") << "search b.test\n";
  std::filesystem::rename(resolv_conf + ".new", resolv_conf);
  answers = true;
  run_until(io, [&] { return client.search().domains.front() == "b.test"; });
  run_until(io, [&] { return reply.has_value(); });
  EXPECT_EQ(reply->outcome, LookupOutcome::answered) << "what was in flight is asked anew";
  EXPECT_EQ(server.queries().size(), 2U);
}

TEST_F(DnsClientTest, WithDnsmasq) {
  std::string hosts = "10.0.0.1 shop.test\n10.0.0.2 shop.test\n2001:db8::1 shop.test\n10.0.0.3 four.test\n";
  for (int i = 0; i < 200; ++i) hosts += "10.1.0." + std::to_string(i) + " many.test\n";
  Dnsmasq server(hosts, {"--local-ttl=7", "--srv-host=_http._tcp.test,shop.test,8080,1,2",
                         "--srv-host=_http._tcp.test,four.test,8081,3,4", "--cname=alias.test,shop.test"});
  conf.servers = {server.address()};
  conf.timeout = 5s;
  DnsClient client(io, conf, resolv_conf);
  EXPECT_EQ(told(client, "shop.test"), "answered 10.0.0.1 10.0.0.2 ttl 7");
  EXPECT_EQ(told(client, "Shop.Test", RecordType::aaaa), "answered 2001:db8::1 ttl 7");
  EXPECT_EQ(told(client, "alias.test"), "answered 10.0.0.1 10.0.0.2 ttl 7");
  EXPECT_EQ(told(client, "four.test", RecordType::aaaa), "no_data");
  EXPECT_EQ(told(client, "none.test"), "no_such_name");
  EXPECT_EQ(told(client, "elsewhere.example"), "server_failed") << "it refuses what is not its own";
  const DnsReply srv = ask(client, "_http._tcp.test", RecordType::srv);
  EXPECT_EQ(srv.services, (std::vector<dns::SrvRecord>{{1, 2, 8080, "shop.test"}, {3, 4, 8081, "four.test"}}));
  EXPECT_EQ(srv.ttl, 7s);
  EXPECT_EQ(ask(client, "many.test").addresses.size(), 200U) << "cut over UDP, whole over TCP";
  server.stop();
  EXPECT_EQ(told(client, "shop.test"), "server_failed");
}

}  // namespace
}  // namespace telltale::proxy
