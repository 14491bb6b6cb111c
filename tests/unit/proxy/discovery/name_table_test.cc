#include "proxy/discovery/name_table.h"

#include "tests/unit/proxy/discovery/fake_dns.h"
#include "tests/unit/proxy/discovery/fake_resolver.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;
using namespace test;
using conf::DnsName;
using Kind = DnsName::Kind;

struct NameTableTest : testing::Test {
  boost::asio::io_context io{1};
  conf::Dns conf{.min_ttl = 1ms, .max_ttl = 60'000ms, .retry = 2ms};
  FakeResolver resolver{io};
  double random = 0;
  std::vector<std::string> told;  // NAME, with `*` if it changed
  NameTable table{io,
                  conf,
                  resolver,
                  {.hosts = [](std::string_view name) { return name == "listed" ? ips({"10.9.9.9"}) : ips({}); },
                   .has_route = [](const net::IpAddress&) { return true; },
                   .random = [this] { return random; },
                   .on_lookup = [this](const NameTable::Key& key,
                                       bool changed) { told.push_back(key.name + (changed ? "*" : "")); }}};

  static DnsName name(const char* text, std::uint16_t port = 80) { return {Kind::address, text, port}; }
  std::string answer(const char* text) {
    const FollowedName* found = table.find(name(text));
    std::string all = found == nullptr ? "not followed" : "";
    if (found != nullptr) {
      for (const auto& each : to_texts(found->answer(), Kind::address)) all += (all.empty() ? "" : " ") + each;
    }
    return all;
  }
  std::size_t asked(const char* text) const {
    return static_cast<std::size_t>(std::ranges::count(resolver.asked, text));
  }
};

TEST_F(NameTableTest, AsksNobodyBeforeTheStart) {
  table.follow(std::vector{name("a")});
  io.run();
  EXPECT_TRUE(resolver.asked.empty());
  resolver.a["a"] = addresses({"10.0.0.1"});
  table.start();
  run_until(io, [&] { return !told.empty(); });
  EXPECT_EQ(told, (std::vector<std::string>{"a*"}));
  EXPECT_EQ(answer("a"), "10.0.0.1");
}

TEST_F(NameTableTest, EachNameOnceHoweverManyHaveIt) {
  table.start();
  table.follow(std::vector{name("a", 80), name("a", 81), name("b"), DnsName{Kind::srv, "a", 0}});
  run_until(io, [&] { return told.size() == 3; });
  EXPECT_EQ(resolver.asked.size(), 3U) << "a, b, and the records of a";
}

TEST_F(NameTableTest, AsksAgainWhenTheTtlIsOver) {
  resolver.a["a"] = addresses({"10.0.0.1"}, 0);
  resolver.a["b"] = addresses({"10.0.0.2"}, 50'000);
  table.follow(std::vector{name("a"), name("b")});
  table.start();
  run_until(io, [&] { return asked("a") >= 4; });
  EXPECT_EQ(asked("b"), 1U);
  EXPECT_EQ(std::ranges::count(told, "a*"), 1);
  resolver.a["a"] = addresses({"10.0.0.3"}, 0);
  run_until(io, [&] { return answer("a") == "10.0.0.3"; });
  EXPECT_EQ(std::ranges::count(told, "a*"), 2);
  resolver.a["a"] = server_failed;
  const std::size_t before = asked("a");
  run_until(io, [&] { return asked("a") >= before + 3; });
  EXPECT_EQ(answer("a"), "10.0.0.3");
  EXPECT_EQ(table.describe(name("a")).state, NameState::stale);
  DiscoveryCounts counts;
  table.count(counts);
  EXPECT_GT(counts.lookups[static_cast<std::size_t>(LookupOutcome::server_failed)], 1U);
  EXPECT_EQ(counts.lookups[static_cast<std::size_t>(LookupOutcome::no_data)], 0U);
  EXPECT_EQ(counts.names, (std::array<std::size_t, 4>{0, 1, 1, 0})) << "b answered, a is stale";
  resolver.a.erase("a");
  run_until(io, [&] { return answer("a").empty(); });
  EXPECT_EQ(table.describe(name("a")).state, NameState::gone);
}

TEST_F(NameTableTest, TtlsEndUpToATenthLater) {
  resolver.a["a"] = addresses({"10.0.0.1"}, 40);
  resolver.hold = true;
  table.follow(std::vector{name("a")});
  table.start();
  EXPECT_FALSE(table.describe(name("a")).next) << "being asked";
  random = 0.5;
  resolver.release();
  run_until(io, [&] { return !told.empty(); });
  const auto status = table.describe(name("a"));
  EXPECT_EQ(status.ttl, 40s);
  EXPECT_EQ(*status.next - *status.answered, 42s);
  EXPECT_EQ(status.addresses, (std::vector<std::string>{"10.0.0.1"}));
}

TEST_F(NameTableTest, TheHostsFileAnswersWithoutAServer) {
  table.follow(std::vector{name("listed")});
  table.start();
  EXPECT_TRUE(told.empty()) << "never from within the call";
  run_until(io, [&] { return !told.empty(); });
  EXPECT_EQ(answer("listed"), "10.9.9.9");
  EXPECT_TRUE(resolver.asked.empty());
}

TEST_F(NameTableTest, NamesComeAndGo) {
  resolver.a = {{"a", addresses({"10.0.0.1"})}, {"b", addresses({"10.0.0.2"})}};
  table.start();
  table.follow(std::vector{name("a")});
  run_until(io, [&] { return answer("a") == "10.0.0.1"; });
  resolver.hold = true;
  table.follow(std::vector{name("b")});
  EXPECT_EQ(answer("a"), "not followed");
  table.follow(std::vector{name("a")});
  EXPECT_EQ(answer("a"), "") << "another one of this name: asked anew";
  table.follow(std::vector{name("a"), name("b")});
  resolver.release();
  run_until(io, [&] { return answer("a") == "10.0.0.1" && answer("b") == "10.0.0.2"; });
  EXPECT_EQ(told, (std::vector<std::string>{"a*", "a*", "b*"})) << "what was asked for the first b is nobody's";
  EXPECT_EQ(asked("b"), 2U);
  EXPECT_EQ(table.describe(name("c")).state, NameState::waiting);
}

TEST_F(NameTableTest, StopEndsIt) {
  resolver.a["a"] = addresses({"10.0.0.1"}, 0);
  table.follow(std::vector{name("a")});
  table.start();
  run_until(io, [&] { return asked("a") >= 2; });
  table.stop();
  const std::size_t before = told.size();
  io.restart();
  io.run();
  EXPECT_EQ(told.size(), before);
}

}  // namespace
}  // namespace telltale::proxy
