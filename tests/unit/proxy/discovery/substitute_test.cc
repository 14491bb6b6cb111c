#include "proxy/discovery/substitute.h"

#include "tests/unit/proxy/discovery/support.h"

#include <gtest/gtest.h>

#include <map>

namespace telltale::proxy {
namespace {

using namespace test;
using conf::DnsName;
using Kind = DnsName::Kind;

conf::Endpoint at(const char* address) {
  const auto ip_port = net::parse_ip_port(address);
  return {.address = {ip_port, {}}, .name = address};
}
conf::Endpoint named(const char* name, std::uint16_t port) {
  return {.dns = DnsName{Kind::address, name, port}, .name = std::string(name) + ":" + std::to_string(port)};
}
conf::Endpoint srv(const char* name) { return {.dns = DnsName{Kind::srv, name, 0}, .name = name}; }

Answer answer(std::initializer_list<const char*> texts) { return {{.host = "host", .addresses = ips(texts)}}; }

struct World {
  std::map<std::string, Answer> answers;
  conf::Service service{.name = "default/shop", .port = 30080};
  conf::EndpointsFile file;

  Substituted substituted() const {
    return substitute(service, file, [this](const DnsName& name) -> const Answer* {
      const auto found = answers.find(name.name);
      return found == answers.end() ? nullptr : &found->second;
    });
  }
  Members members() const { return substituted().members; }
  static std::string text(const std::vector<conf::Endpoint>& endpoints) {
    std::string text;
    for (const auto& each : endpoints) {
      EXPECT_FALSE(each.dns) << each.name;
      text += (text.empty() ? "" : ", ") + each.name + "=" + each.address.to_string();
      if (each.weight != 1) text += " w" + std::to_string(each.weight);
      if (each.priority != 0) text += " p" + std::to_string(each.priority);
    }
    return text;
  }
  /// `NAME=ADDRESS wN pN, …`
  std::string endpoints() const { return text(members().endpoints); }
  /// `NAME=HOST[ENDPOINTS] …`
  std::string nodes() const {
    std::string all;
    for (const auto& node : members().nodes) {
      all += (all.empty() ? "" : " ") + node.name + "=" + node.host;
      if (!node.endpoints.empty()) all += "[" + text(node.endpoints) + "]";
    }
    return all;
  }
};

TEST(Substitute, LeavesAddressesAsTheyAre) {
  World world;
  world.service.endpoints = {
      at("10.0.0.1:80"), at("10.0.0.1:80"), {.address = {{}, "/run/app.sock"}, .name = "app", .weight = 3}};
  world.service.nodes = {{.name = "a", .host = "10.0.0.1"},
                         {.name = "b", .host = "10.0.0.2", .endpoints = {at("10.1.0.1:80")}}};
  EXPECT_EQ(world.endpoints(), "10.0.0.1:80=10.0.0.1:80, 10.0.0.1:80=10.0.0.1:80, app=unix:/run/app.sock w3");
  EXPECT_EQ(world.nodes(), "a=10.0.0.1 b=10.0.0.2[10.1.0.1:80=10.1.0.1:80]");
}

TEST(Substitute, ANameByItsAddresses) {
  World world;
  world.service.endpoints = {named("shop.test", 8080), at("10.0.0.9:80")};
  EXPECT_EQ(world.endpoints(), "10.0.0.9:80=10.0.0.9:80") << "not known yet";
  world.answers["shop.test"] = {};
  EXPECT_EQ(world.endpoints(), "10.0.0.9:80=10.0.0.9:80") << "nobody";
  world.answers["shop.test"] = answer({"10.0.0.1"});
  EXPECT_EQ(world.endpoints(), "shop.test:8080=10.0.0.1:8080, 10.0.0.9:80=10.0.0.9:80");
  world.answers["shop.test"] = answer({"10.0.0.1", "2001:db8::1"});
  EXPECT_EQ(world.endpoints(),
            "shop.test:8080/10.0.0.1=10.0.0.1:8080, shop.test:8080/2001:db8::1=[2001:db8::1]:8080, "
            "10.0.0.9:80=10.0.0.9:80");
}

TEST(Substitute, CopiesKeepWhatIsConfigured) {
  World world;
  conf::Endpoint endpoint = named("shop.test", 8080);
  endpoint.weight = 5;
  endpoint.priority = 2;
  endpoint.zone = "a";
  endpoint.for_zones = {"a", "b"};
  endpoint.terminating = true;
  world.service.endpoints = {endpoint};
  world.answers["shop.test"] = answer({"10.0.0.1", "10.0.0.2"});
  EXPECT_EQ(world.endpoints(),
            "shop.test:8080/10.0.0.1=10.0.0.1:8080 w5 p2, shop.test:8080/10.0.0.2=10.0.0.2:8080 w5 p2");
  for (const auto& each : world.members().endpoints) {
    EXPECT_EQ(each.zone, "a");
    EXPECT_EQ(each.for_zones, endpoint.for_zones);
    EXPECT_TRUE(each.terminating);
  }
}

TEST(Substitute, DuplicatesAreOne) {
  World world;
  world.answers["a.test"] = answer({"10.0.0.1", "10.0.0.2"});
  world.answers["b.test"] = answer({"10.0.0.2", "10.0.0.3"});
  world.service.endpoints = {named("a.test", 80), named("b.test", 80), at("10.0.0.1:80"), named("b.test", 81)};
  EXPECT_EQ(world.endpoints(),
            "a.test:80/10.0.0.2=10.0.0.2:80, b.test:80/10.0.0.3=10.0.0.3:80, 10.0.0.1:80=10.0.0.1:80, "
            "b.test:81/10.0.0.2=10.0.0.2:81, b.test:81/10.0.0.3=10.0.0.3:81")
      << "what is configured by address goes first; another port is another endpoint";
  world.file.endpoints = {at("10.0.0.3:80"), at("10.0.0.4:80"), at("10.0.0.4:80")};
  EXPECT_TRUE(world.endpoints().ends_with(", 10.0.0.4:80=10.0.0.4:80")) << world.endpoints();
  EXPECT_EQ(world.members().endpoints.size(), 6U);
}

TEST(Substitute, Nodes) {
  World world;
  world.service.nodes = {{.name = "a", .host = "a.test", .zone = "z", .weight = 4},
                         {.name = "b", .host = "10.0.0.2"},
                         {.name = "c", .host = "c.test", .port = 8080}};
  EXPECT_EQ(world.nodes(), "b=10.0.0.2");
  world.answers["a.test"] = answer({"10.0.0.1"});
  world.answers["c.test"] = answer({"10.0.0.1", "10.0.0.2"});
  EXPECT_EQ(world.nodes(), "a=10.0.0.1 b=10.0.0.2 c=10.0.0.1 c=10.0.0.2")
      << "the same host at another port is another NodePort";
  EXPECT_EQ(world.members().nodes[0].zone, "z");
  EXPECT_EQ(world.members().nodes[0].weight, 4U);
  world.answers["a.test"] = answer({"10.0.0.1", "10.0.0.2"});
  EXPECT_EQ(world.nodes(), "a=10.0.0.1 b=10.0.0.2 c=10.0.0.1 c=10.0.0.2");
  world.file.nodes = {{.name = "d", .host = "10.0.0.1"},
                      {.name = "e", .host = "10.0.0.5"},
                      {.name = "f", .host = "10.0.0.5", .endpoints = {at("10.1.0.1:80")}}};
  EXPECT_TRUE(world.nodes().ends_with("c=10.0.0.2 e=10.0.0.5 f=10.0.0.5[10.1.0.1:80=10.1.0.1:80]")) << world.nodes();
}

TEST(Substitute, ANodeNeverFallsBackToItsOwnPort) {
  World world;
  world.service.nodes = {
      {.name = "a", .host = "10.0.0.1", .endpoints = {named("pod.test", 8080), srv("_http._tcp.test")}}};
  EXPECT_EQ(world.nodes(), "") << "its endpoints are not known yet: its NodePort would serve instead";
  world.answers["pod.test"] = answer({"10.1.0.1"});
  EXPECT_EQ(world.nodes(), "a=10.0.0.1[pod.test:8080=10.1.0.1:8080]");
  world.answers["pod.test"] = {};
  EXPECT_EQ(world.nodes(), "") << "nor when they are gone";
}

TEST(Substitute, SrvRecords) {
  World world;
  world.service.endpoints = {srv("_http._tcp.test")};
  const auto records = [&](Answer all) {
    world.answers["_http._tcp.test"] = std::move(all);
    return world.endpoints();
  };
  EXPECT_EQ(records({{"a", 8001, 1, 10, ips({"10.0.0.1"})}}), "_http._tcp.test=10.0.0.1:8001 w10 p1");
  EXPECT_EQ(records({{"a", 8001, 1, 10, ips({"10.0.0.1"})}, {"b", 8002, 2, 20, ips({"10.0.0.1"})}}),
            "_http._tcp.test/10.0.0.1:8001=10.0.0.1:8001 w10 p1, _http._tcp.test/10.0.0.1:8002=10.0.0.1:8002 w20 p2");
  EXPECT_EQ(records({{"a", 80, 1, 10, ips({"10.0.0.1"})}, {"b", 80, 2, 20, ips({"10.0.0.1"})}}),
            "_http._tcp.test/10.0.0.1:80=10.0.0.1:80 w10 p1")
      << "an address twice: where it comes first";
  world.service.endpoints[0].weight = 3;
  world.service.endpoints[0].priority = 5;
  EXPECT_EQ(records({{"a", 80, 1, 10, ips({"10.0.0.1"})}}), "_http._tcp.test=10.0.0.1:80 w30 p6");
  world.service.endpoints[0].weight = 0;
  EXPECT_EQ(records({{"a", 80, 1, 10, ips({"10.0.0.1"})}}), "_http._tcp.test=10.0.0.1:80 w0 p6");
}

TEST(Substitute, SrvWeights) {
  World world;
  world.service.endpoints = {srv("s")};
  const struct {
    const char* description;
    Answer answer;
    std::vector<std::uint32_t> weights;
  } cases[] = {
      {"all zero: no selection to do",
       {{"a", 80, 0, 0, ips({"10.0.0.1"})}, {"b", 80, 0, 0, ips({"10.0.0.2"})}},
       {1, 1}},
      {"zero beside more: a very small chance",
       {{"a", 80, 0, 0, ips({"10.0.0.1"})}, {"b", 80, 0, 2, ips({"10.0.0.2"})}},
       {1, 200}},
      {"zero of another priority", {{"a", 80, 0, 3, ips({"10.0.0.1"})}, {"b", 80, 1, 0, ips({"10.0.0.2"})}}, {3, 1}},
      {"a target's addresses share its weight",
       {{"a", 80, 0, 1, ips({"10.0.0.1"})}, {"b", 80, 0, 1, ips({"10.0.0.2", "10.0.0.3"})}},
       {2, 1, 1}},
      {"two and three",
       {{"a", 80, 0, 5, ips({"10.0.0.1", "10.0.0.2"})}, {"b", 80, 0, 2, ips({"10.0.0.3", "10.0.0.4", "10.0.0.5"})}},
       {15, 15, 4, 4, 4}},
      {"as many each: nothing to share out",
       {{"a", 80, 0, 5, ips({"10.0.0.1", "10.0.0.2"})}, {"b", 80, 0, 2, ips({"10.0.0.3", "10.0.0.4"})}},
       {5, 5, 2, 2}},
  };
  for (const auto& each : cases) {
    world.answers["s"] = each.answer;
    std::vector<std::uint32_t> weights;
    for (const auto& endpoint : world.members().endpoints) weights.push_back(endpoint.weight);
    EXPECT_EQ(weights, each.weights) << each.description;
  }
}

TEST(Substitute, NamesBring10000AddressesAtMost) {
  World world;
  const auto many = [](std::uint8_t first, std::uint32_t count) {
    std::vector<net::IpAddress> all;
    for (std::uint32_t i = 0; i < count; ++i) {
      all.push_back(net::IpAddress::v4(first, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)));
    }
    return all;
  };
  world.service.nodes = {{.name = "n", .host = "n.test"}};
  world.service.endpoints = {named("a.test", 80), srv("s"), named("b.test", 80), at("10.0.0.1:80")};
  world.answers["n.test"] = {{.host = "n.test", .addresses = many(10, 4000)}};
  world.answers["a.test"] = {{.host = "a.test", .addresses = many(11, 4000)}};
  world.answers["s"] = {{"x", 80, 0, 4, many(12, 1000)}, {"y", 80, 0, 4, many(13, 2000)}};
  world.answers["b.test"] = answer({"14.0.0.1"});
  const Substituted got = world.substituted();
  EXPECT_EQ(got.left_out, 1001u);
  EXPECT_EQ(got.members.nodes.size(), 4000u);
  ASSERT_EQ(got.members.endpoints.size(), 6001u) << "addresses that are configured do not count";
  EXPECT_EQ(got.members.endpoints[5999].address.to_string(), "13.0.3.231:80");
  EXPECT_EQ(got.members.endpoints[5999].weight, got.members.endpoints[4000].weight) << "1,000 of each target are left";
}

TEST(Substitute, SaysWhichNamesThereAre) {
  World world;
  world.service.nodes = {{.name = "a", .host = "a.test"},
                         {.name = "b", .host = "10.0.0.1", .endpoints = {named("pod.test", 80)}}};
  world.service.endpoints = {at("10.0.0.1:80"), srv("_http._tcp.test")};
  world.file.nodes = {{.name = "c", .host = "c.test"}};
  world.file.endpoints = {named("d.test", 81)};
  const std::vector<DnsName> expected = {{Kind::address, "a.test", 0},
                                         {Kind::address, "pod.test", 80},
                                         {Kind::srv, "_http._tcp.test", 0},
                                         {Kind::address, "c.test", 0},
                                         {Kind::address, "d.test", 81}};
  EXPECT_EQ(names_in(world.service, world.file), expected);
}

/// What a certificate has to name: what was configured, not what DNS made of it (RFC 6125 6.2.1).
TEST(Substitute, KeepsTheNameThatWasLookedUp) {
  World world;
  world.answers["app.internal"] = answer({"10.0.0.1"});
  world.answers["dot.internal."] = answer({"10.0.0.2"});
  world.answers["_https._tcp.shop.internal"] = {
      {.host = "pod-1.elsewhere", .port = 8443, .addresses = ips({"10.0.0.3"})}};
  world.answers["node.internal"] = answer({"10.0.0.4"});
  world.service.endpoints = {named("app.internal", 80), named("dot.internal.", 80), srv("_https._tcp.shop.internal"),
                             at("10.0.0.5:80")};
  world.service.nodes = {{.name = "a", .host = "node.internal"}, {.name = "b", .host = "10.0.0.6"}};
  std::vector<std::string> names;
  for (const auto& each : world.members().endpoints) names.push_back(each.host_name);
  EXPECT_EQ(names, (std::vector<std::string>{"app.internal", "dot.internal", "shop.internal", ""}));
  names.clear();
  for (const auto& each : world.members().nodes) names.push_back(each.host_name);
  EXPECT_EQ(names, (std::vector<std::string>{"node.internal", ""}));
}

}  // namespace
}  // namespace telltale::proxy
