#include "proxy/discovery/discovery.h"

#include "tests/unit/proxy/discovery/dnsmasq.h"
#include "tests/unit/proxy/discovery/fake_dns.h"
#include "tests/unit/proxy/discovery/fake_resolver.h"
#include "tests/unit/proxy/observe/temporary_directory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;
using namespace test;
using conf::DnsName;
using Kind = DnsName::Kind;

conf::Endpoint at(const char* address) { return {.address = {net::parse_ip_port(address), {}}, .name = address}; }
conf::Endpoint named(const char* name) { return {.dns = DnsName{Kind::address, name, 80}, .name = name}; }

struct DiscoveryTest : testing::Test {
  boost::asio::io_context io{1};
  TemporaryDirectory directory;
  std::string file = directory / "endpoints.json";
  conf::Dns dns{.min_ttl = 1ms, .retry = 2ms};
  std::vector<conf::Service> services;
  FakeResolver* resolver = nullptr;
  std::vector<std::string> told;  // SERVICE: ADDRESS …
  std::unique_ptr<Discovery> discovery;

  static std::string text(const Members& members) {
    std::string all;
    for (const auto& each : members.nodes) all += (all.empty() ? "" : " ") + each.name;
    for (const auto& each : members.endpoints) all += (all.empty() ? "" : " ") + each.address.to_string();
    return all;
  }
  void make(bool fake = true) {
    DiscoveryOptions options{.hosts_file = directory / "hosts",
                             .has_route = [](const net::IpAddress&) { return true; },
                             .random = [] { return 0.0; },
                             .file_interval = 1ms};
    if (fake) {
      options.make_resolver = [this](boost::asio::io_context& on, const conf::Dns&) {
        auto made = std::make_unique<FakeResolver>(on);
        resolver = made.get();
        return made;
      };
    }
    discovery = std::make_unique<Discovery>(
        io, dns, services,
        [this](std::size_t service, const Members& members) {
          told.push_back(services[service].name + ": " + text(members));
        },
        std::move(options));
  }
  void add_service(const char* name, std::vector<conf::Endpoint> endpoints, std::string endpoints_file = {}) {
    services.push_back({.name = name, .endpoints = std::move(endpoints), .endpoints_file = std::move(endpoints_file)});
  }
  void replace_file(std::string_view content) const {
    std::ofstream(file + ".new") << content;
    std::filesystem::rename(file + ".new", file);
  }
  void wait_told(std::size_t count) {
    run_until(io, [&] { return told.size() >= count; });
  }
  /// Everything that is to come at once.
  void settle() {
    io.restart();
    io.poll();
  }
};

TEST_F(DiscoveryTest, FollowsOnlyWhatMayChange) {
  replace_file("{endpoints: [10.0.0.3:80]}\n");
  add_service("static", {at("10.0.0.1:80")});
  add_service("named", {named("a.test"), at("10.0.0.2:80")});
  add_service("file", {}, file);
  services.push_back({.name = "node", .port = 80, .nodes = {{.name = "n", .host = "n.test"}}});
  make();
  EXPECT_FALSE(discovery->follows(0));
  EXPECT_TRUE(discovery->follows(1));
  EXPECT_TRUE(discovery->follows(2));
  EXPECT_TRUE(discovery->follows(3));
  EXPECT_EQ(text(discovery->initial(1)), "10.0.0.2:80");
  EXPECT_EQ(text(discovery->initial(2)), "10.0.0.3:80");
  EXPECT_EQ(text(discovery->initial(3)), "");
  EXPECT_TRUE(discovery->describe(0).names.empty());
  EXPECT_EQ(discovery->describe(1).names.size(), 1U);
}

TEST_F(DiscoveryTest, NobodyIsAskedWhereThereAreNoNames) {
  add_service("static", {at("10.0.0.1:80")});
  make();
  EXPECT_EQ(resolver, nullptr);
  bool settled = false;
  discovery->start([&] { settled = true; });
  EXPECT_TRUE(settled);
  EXPECT_EQ(discovery->counts().lookups[0], 0U);
}

TEST_F(DiscoveryTest, TellsOfEachServiceWithAName) {
  add_service("one", {named("a.test"), at("10.0.0.9:80")});
  add_service("two", {named("a.test"), named("b.test"), named("a.test")});
  add_service("three", {named("b.test")});
  make();
  EXPECT_EQ(discovery->describe(1).names.size(), 2U) << "each once";
  resolver->a = {{"a.test", addresses({"10.0.0.1"}, 0)}, {"b.test", addresses({"10.0.0.2"})}};
  discovery->start();
  wait_told(4);
  EXPECT_EQ(told, (std::vector<std::string>{"one: 10.0.0.1:80 10.0.0.9:80", "two: 10.0.0.1:80",
                                            "two: 10.0.0.1:80 10.0.0.2:80", "three: 10.0.0.2:80"}));
  run_until(io, [&] { return resolver->asked.size() > 5; });
  EXPECT_EQ(told.size(), 4U) << "nothing is said when nothing changed";
  resolver->a["a.test"] = addresses({"10.0.0.9"}, 0);
  wait_told(6);
  EXPECT_EQ(told[4], "one: 10.0.0.9:80") << "the address that is configured as well stays, once";
  EXPECT_EQ(told[5], "two: 10.0.0.9:80 10.0.0.2:80");
}

TEST_F(DiscoveryTest, SettlesWhenEveryNameHadItsAnswerOrNone) {
  add_service("one", {named("a.test"), named("b.test")});
  add_service("two", {named("c.test")});
  make();
  resolver->a = {{"a.test", addresses({"10.0.0.1"})}, {"b.test", timed_out}};
  resolver->hold = true;
  int settled = 0;
  discovery->start([&] { ++settled; });
  settle();
  EXPECT_EQ(settled, 0);
  resolver->release();
  run_until(io, [&] { return settled > 0; });
  EXPECT_EQ(told, (std::vector<std::string>{"one: 10.0.0.1:80"}));
  EXPECT_EQ(discovery->describe(0).names[1].error, "A: timed out");
  EXPECT_EQ(discovery->describe(1).names[0].state, NameState::gone);
  run_until(io, [&] { return resolver->asked.size() > 6; });
  EXPECT_EQ(settled, 1);
}

TEST_F(DiscoveryTest, AFileMustBeGoodAtTheStart) {
  add_service("file", {}, file);
  EXPECT_THROW(make(), EndpointsFileError) << "there is none";
  replace_file("endpoints: [10.0.0.300:80]\n");
  try {
    make();
    FAIL();
  } catch (const EndpointsFileError& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with(file + ":1:13: endpoints[0]: ")) << error.what();
  }
}

TEST_F(DiscoveryTest, FollowsAFile) {
  replace_file("{endpoints: [10.0.0.1:80]}\n");
  add_service("file", {at("10.0.0.9:80")}, file);
  make();
  EXPECT_EQ(text(discovery->initial(0)), "10.0.0.9:80 10.0.0.1:80");
  discovery->start();
  replace_file("{endpoints: [10.0.0.1:80, 10.0.0.2:80], nodes: []}\n");
  wait_told(1);
  EXPECT_EQ(told[0], "file: 10.0.0.9:80 10.0.0.1:80 10.0.0.2:80");
  replace_file("{endpoints: [10.0.0.300:80]}\n");
  run_until(io, [&] { return discovery->counts().files_refused == 1; });
  EXPECT_EQ(told.size(), 1U) << "the last good list stays";
  EXPECT_EQ(discovery->counts().files_not_in_force, 1U);
  const auto status = discovery->describe(0).file;
  ASSERT_TRUE(status);
  EXPECT_EQ(status->endpoints, 2U);
  EXPECT_TRUE(status->problems.starts_with(file + ":1:14: ")) << status->problems;
  std::filesystem::remove(file);
  run_until(io, [&] { return discovery->counts().files_refused == 2; });
  replace_file("# the same\n{endpoints: [10.0.0.1:80, 10.0.0.2:80]}\n");
  run_until(io, [&] { return discovery->counts().files_loaded == 2; });
  EXPECT_EQ(told.size(), 1U) << "nothing is said when nothing changed";
  EXPECT_EQ(discovery->describe(0).file->problems, "");
  EXPECT_EQ(discovery->counts().files_not_in_force, 0U);
  replace_file("{endpoints: []}\n");
  wait_told(2);
  EXPECT_EQ(told[1], "file: 10.0.0.9:80") << "nobody, said expressly";
}

TEST_F(DiscoveryTest, NewNamesInAFileAreLookedUpBeforeItCounts) {
  replace_file("{endpoints: [10.0.0.1:80]}\n");
  add_service("file", {}, file);
  make();
  discovery->start();
  resolver->a["a.test"] = addresses({"10.0.0.2"});
  resolver->hold = true;
  replace_file("{endpoints: [\"a.test:80\", \"b.test:80\", 10.0.0.3:80]}\n");
  run_until(io, [&] { return !resolver->asked.empty(); });
  settle();
  EXPECT_TRUE(told.empty()) << "better the old list than half of the new";
  resolver->release();
  wait_told(1);
  EXPECT_EQ(told[0], "file: 10.0.0.2:80 10.0.0.3:80") << "b.test is not there, which is an answer";
  replace_file("{endpoints: [10.0.0.3:80]}\n");
  wait_told(2);
  const std::size_t asked = resolver->asked.size();
  settle();
  EXPECT_EQ(resolver->asked.size(), asked) << "a name that nobody has any more is not asked for";
  EXPECT_TRUE(discovery->describe(0).names.empty());
}

TEST_F(DiscoveryTest, StopEndsItEvenFromACallback) {
  add_service("one", {named("a.test")});
  add_service("two", {named("a.test")});
  make();
  resolver->a["a.test"] = addresses({"10.0.0.1"}, 0);
  discovery->start([&] { discovery->stop(); });
  wait_told(1);
  io.restart();
  io.run();
  EXPECT_EQ(told.size(), 2U) << "both of the one lookup that settled everything";
  EXPECT_TRUE(resolver->stopped);
}

TEST_F(DiscoveryTest, WithDnsmasq) {
  Dnsmasq server("10.0.0.1 shop.test\n", {"--local-ttl=0"});
  dns.servers = {server.address()};
  dns.min_ttl = 20ms;
  dns.retry = 20ms;
  add_service("shop", {named("shop.test")});
  make(false);
  discovery->start();
  wait_told(1);
  EXPECT_EQ(told.back(), "shop: 10.0.0.1:80");
  server.replace_hosts("10.0.0.2 shop.test\n10.0.0.3 shop.test\n");
  wait_told(2);
  EXPECT_EQ(told.back(), "shop: 10.0.0.2:80 10.0.0.3:80");
  server.replace_hosts("10.0.0.9 other.test\n");
  wait_told(3);
  EXPECT_EQ(told.back(), "shop: ");
  server.replace_hosts("10.0.0.4 shop.test\n");
  wait_told(4);
  server.stop();
  run_until(io, [&] { return discovery->describe(0).names[0].state == NameState::stale; });
  EXPECT_EQ(discovery->describe(0).names[0].addresses, (std::vector<std::string>{"10.0.0.4"}));
  EXPECT_EQ(told.size(), 4U);
}

}  // namespace
}  // namespace telltale::proxy
