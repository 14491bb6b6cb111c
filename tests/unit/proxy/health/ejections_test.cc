#include "proxy/health/ejections.h"

#include "tests/unit/proxy/upstream/built.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr std::size_t shop = 0;

conf::Service service_of(std::uint8_t endpoints, conf::Ejection ejection = {}) {
  conf::Service conf;
  conf.name = "shop";
  conf.health.emplace();
  conf.ejection = std::move(ejection);
  for (std::uint8_t i = 1; i <= endpoints; ++i) {
    conf::Endpoint& endpoint = conf.endpoints.emplace_back();
    endpoint.address.ip = net::IpPort{net::IpAddress::v4(10, 0, 0, i), 80};
  }
  return conf;
}

/// Every endpoint is healthy; a clock that the test moves.
struct Fixture {
  explicit Fixture(const conf::Service& conf, const Location& location = {})
      : built({conf}), ejections(built.services, location) {
    for (std::size_t i = 0; i < built.set().endpoints.size(); ++i) set(i, HealthState::healthy);
  }

  const Endpoint& at(std::size_t i) const { return *built.set().endpoints[i]; }
  void set(std::size_t i, HealthState state) {
    const Endpoint& endpoint = at(i);
    (endpoint.verdict ? endpoint.verdict : endpoint.node->verdict)->set(state, "", now.system);
  }
  bool fails(std::size_t i) { return ejections.failing(shop, at(i).id, "connect: refused", now) != nullptr; }
  bool is_out(std::size_t i) const { return at(i).state() == HealthState::unhealthy; }
  void pass(milliseconds time) { now.steady += time, now.system += time; }
  std::optional<milliseconds> next() const {
    if (ejections.next() == std::chrono::steady_clock::time_point::max()) return std::nullopt;
    return std::chrono::duration_cast<milliseconds>(ejections.next() - now.steady);
  }
  ProbeTarget target_of(std::size_t i) const {
    for (ProbeTarget& target : built.sets->probe_targets()) {
      const auto node = at(i).node;
      if (target.verdict == at(i).verdict || (node && target.verdict == node->verdict)) return target;
    }
    ADD_FAILURE() << "no target";
    return {};
  }

  test::Built built;
  Ejections ejections;
  Ejections::Now now{std::chrono::steady_clock::time_point(1h), std::chrono::system_clock::time_point(500000h)};
};

TEST(Ejection, LastsTwiceAsLongEachTime) {
  const struct {
    const char* what;
    milliseconds time, max_time;
    unsigned times;
    milliseconds lasts;
  } rows[] = {
      {"the first", 10s, 300s, 1, 10s},
      {"the second", 10s, 300s, 2, 20s},
      {"the fifth", 10s, 300s, 5, 160s},
      {"at most the longest", 10s, 300s, 6, 300s},
      {"and no overflow", 10s, 300s, 4'000'000'000, 300s},
      {"exactly the longest", 10s, 40s, 3, 40s},
      {"the longest is shorter than the first", 10s, 5s, 1, 5s},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(ejection_time({.time = row.time, .max_time = row.max_time}, row.times), row.lasts) << row.what;
  }
}

TEST(Ejection, IsForgivenForAsLongAsItLasted) {
  const struct {
    const char* what;
    unsigned times;
    milliseconds behaved;
    unsigned left;
  } rows[] = {
      {"none yet", 0, 1h, 0},
      {"at once", 3, 0ms, 3},
      {"not quite as long as the third lasted", 3, 39'999ms, 3},
      {"as long as the third", 3, 40s, 2},
      {"and not quite as long as the second", 3, 59'999ms, 2},
      {"and as long as the second", 3, 60s, 1},
      {"and as long as the first", 3, 70s, 0},
      {"for ever", 3, 1000h, 0},
  };
  const conf::Ejection conf{.time = 10s, .max_time = 300s};
  for (const auto& row : rows) EXPECT_EQ(times_after(conf, row.times, row.behaved), row.left) << row.what;
}

TEST(Ejections, AnEndpointThatFailsIsOutForItsTime) {
  Fixture f(service_of(4));
  EXPECT_EQ(f.next(), std::nullopt);
  ASSERT_TRUE(f.fails(1));
  EXPECT_EQ(f.at(1).state(), HealthState::unhealthy);
  EXPECT_EQ(f.at(1).reason(), "ejected: 5 failures in a row, the last: connect: refused");
  EXPECT_EQ(f.at(1).since(), f.now.system);
  EXPECT_EQ(f.at(1).passive->until, f.now.system + 10s);
  EXPECT_EQ(f.next(), 10s);
  EXPECT_EQ(f.ejections.total(shop), 1u);
  f.at(1).passive->failures = 7;

  f.pass(9'999ms);
  EXPECT_TRUE(f.ejections.end_due(f.now).empty());
  EXPECT_TRUE(f.is_out(1));
  f.pass(1ms);
  EXPECT_EQ(f.ejections.end_due(f.now), std::vector<std::size_t>{shop});
  EXPECT_EQ(f.at(1).state(), HealthState::healthy);
  EXPECT_EQ(f.at(1).passive->failures.load(), 0u) << "counted anew";
  EXPECT_EQ(f.at(1).came(), f.now.system) << "it starts slowly";
  EXPECT_EQ(f.next(), std::nullopt);
}

TEST(Ejections, WhatIsOutFailsNoMore) {
  Fixture f(service_of(4));
  ASSERT_TRUE(f.fails(0));
  f.pass(5s);
  EXPECT_FALSE(f.fails(0)) << "what was in flight still fails";
  EXPECT_EQ(f.next(), 5s);
  EXPECT_EQ(f.ejections.total(shop), 1u);
}

TEST(Ejections, TimesGrowForWhoFailsAgainSoonAndShrinkForWhoBehaves) {
  Fixture f(service_of(4));
  const struct {
    const char* what;
    milliseconds in_before, out_for;
  } rows[] = {
      {"the first", 0ms, 10s},         {"again at once", 1s, 20s},       {"and again", 19s, 40s},
      {"and after a while", 40s, 40s}, {"and after a longer", 60s, 20s}, {"and after an hour", 1h, 10s},
  };
  for (const auto& row : rows) {
    f.pass(row.in_before);
    ASSERT_TRUE(f.fails(0)) << row.what;
    EXPECT_EQ(f.next(), row.out_for) << row.what;
    f.pass(row.out_for);
    ASSERT_EQ(f.ejections.end_due(f.now).size(), 1u) << row.what;
  }
}

TEST(Ejections, TheCountStopsWhereTheTimeDoes) {
  Fixture f(service_of(4, {.time = 10s, .max_time = 25s}));
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(f.fails(0));
    f.pass(25s);
    f.ejections.end_due(f.now);
  }
  EXPECT_EQ(f.at(0).passive->times, 3u);
}

TEST(Ejections, AClockThatWasSetBackForgivesNothing) {
  Fixture f(service_of(4));
  ASSERT_TRUE(f.fails(0));
  f.pass(10s);
  f.ejections.end_due(f.now);
  f.now.steady += 1s, f.now.system -= 100h;
  ASSERT_TRUE(f.fails(0));
  EXPECT_EQ(f.next(), 20s);
}

TEST(Ejections, NoMoreThanTheirShareAreOutAtOnce) {
  const struct {
    const char* what;
    std::uint8_t endpoints;
    unsigned max_share, out;
  } rows[] = {
      {"half of ten", 10, 50, 5},
      {"half of five", 5, 50, 2},
      {"a third of ten", 10, 33, 3},
      {"all but the last", 4, 100, 3},
      {"one always may", 10, 5, 1},
      {"even of no share", 10, 0, 1},
      {"one of two, though half", 2, 50, 1},
      {"one of two, though all may", 2, 100, 1},
      {"never the only one", 1, 100, 0},
      {"99 of a hundred percent", 100, 99, 99},
  };
  for (const auto& row : rows) {
    Fixture f(service_of(row.endpoints, {.max_share = row.max_share}));
    unsigned out = 0;
    for (std::size_t i = 0; i < row.endpoints; ++i) {
      f.at(i).passive->failures = 5;
      const bool went = f.fails(i);
      out += went ? 1 : 0;
      EXPECT_EQ(f.at(i).passive->failures.load(), went ? 5u : 0u) << row.what << ": who stays is counted anew";
    }
    EXPECT_EQ(out, row.out) << row.what;
    EXPECT_EQ(f.ejections.total(shop), row.out) << row.what;
  }
}

TEST(Ejections, WhoComesBackMakesRoomForAnother) {
  Fixture f(service_of(4, {.max_share = 25}));
  ASSERT_TRUE(f.fails(0));
  EXPECT_FALSE(f.fails(1));
  f.pass(10s);
  f.ejections.end_due(f.now);
  EXPECT_TRUE(f.fails(1));
}

TEST(Ejections, TheLastOneThatMayBeChosenStays) {
  const struct {
    const char* what;
    HealthState others;
    bool goes;
  } rows[] = {
      {"others are healthy", HealthState::healthy, true},
      {"others are unknown: the panic rule takes them", HealthState::unknown, true},
      {"others drain", HealthState::draining, false},
      {"others are unhealthy", HealthState::unhealthy, false},
  };
  for (const auto& row : rows) {
    Fixture f(service_of(3, {.max_share = 100}));
    f.set(1, row.others), f.set(2, row.others);
    EXPECT_EQ(f.fails(0), row.goes) << row.what;
  }
}

TEST(Ejections, EndpointsWithoutWeightDoNotCountAsOthers) {
  conf::Service conf = service_of(2, {.max_share = 100});
  conf.endpoints[1].weight = 0;
  Fixture f(conf);
  EXPECT_FALSE(f.fails(0));
}

TEST(Ejections, UnderALocalPolicyTheLastOfOurNodeStays) {
  conf::Service conf = service_of(0, {.max_share = 100});
  conf.external_traffic_policy = conf::TrafficPolicy::local;
  for (std::uint8_t i = 1; i <= 2; ++i) {
    conf::Node& node = conf.nodes.emplace_back();
    node.name = i == 1 ? "here" : "there";
    node.host = "10.0.0." + std::to_string(i);
    for (std::uint16_t port : {80, 81}) {
      node.endpoints.push_back({.address = {net::IpPort{net::IpAddress::v4(10, 1, 0, i), port}, {}}});
    }
  }
  Fixture f(conf, {.node_name = "here", .zone = {}});
  EXPECT_TRUE(f.fails(0));
  EXPECT_FALSE(f.fails(1)) << "those there get no external traffic";
  EXPECT_TRUE(f.fails(2));
  EXPECT_FALSE(f.fails(3) && f.fails(1));

  conf.external_traffic_policy = conf::TrafficPolicy::cluster;
  Fixture cluster(conf, {.node_name = "here", .zone = {}});
  EXPECT_TRUE(cluster.fails(0));
  EXPECT_TRUE(cluster.fails(1));
}

TEST(Ejections, AProbeBringsBackWhomItReachedWhereTheyServe) {
  Fixture f(service_of(4));
  ASSERT_TRUE(f.fails(0) && f.fails(1));
  const auto before = f.now.steady - 1ms;
  f.pass(100ms);
  EXPECT_TRUE(f.ejections.succeeded(f.target_of(0), before, f.now).empty()) << "it began before";
  EXPECT_TRUE(f.ejections.succeeded(f.target_of(0), f.now.steady - 100ms, f.now).empty()) << "at the same time";
  EXPECT_TRUE(f.ejections.succeeded(f.target_of(2), f.now.steady, f.now).empty()) << "another one's";
  EXPECT_TRUE(f.is_out(0) && f.is_out(1));
  EXPECT_EQ(f.ejections.succeeded(f.target_of(0), f.now.steady - 1ms, f.now), std::vector<std::size_t>{shop});
  EXPECT_EQ(f.at(0).state(), HealthState::healthy);
  EXPECT_EQ(f.at(0).came(), f.now.system);
  EXPECT_TRUE(f.is_out(1));
  // It fails again at once: that is the second time, and the end of the first says nothing of it.
  ASSERT_TRUE(f.fails(0));
  f.pass(9'900ms);
  EXPECT_EQ(f.ejections.end_due(f.now), std::vector<std::size_t>{shop}) << "the other one";
  EXPECT_TRUE(f.is_out(0));
  EXPECT_FALSE(f.is_out(1));
}

TEST(Ejections, AProbeOfAnotherPortSaysNothingOfTheOneThatServes) {
  for (const bool health_port : {true, false}) {
    conf::Service conf = service_of(0);
    conf.port = 30080;
    if (health_port) conf.health->port = 32122;
    for (const char* host : {"10.0.0.1", "10.0.0.2"}) conf.nodes.emplace_back().host = host;
    Fixture f(conf);
    ASSERT_TRUE(f.fails(0));
    f.pass(1s);
    EXPECT_EQ(f.ejections.succeeded(f.target_of(0), f.now.steady, f.now).empty(), health_port);
    EXPECT_EQ(f.is_out(0), health_port);
  }
}

TEST(Ejections, WhoVanishesWhileItIsOutIsForgotten) {
  const conf::Service conf = service_of(4, {.max_share = 50});
  Fixture f(conf);
  ASSERT_TRUE(f.fails(0) && f.fails(1));
  const auto vanished = f.at(0).id;
  auto fewer = conf.endpoints;
  fewer.erase(fewer.begin());
  f.built.sets->use(shop, {{}, fewer}, f.now.system);
  EXPECT_EQ(f.ejections.failing(shop, vanished, "late", f.now), nullptr);
  EXPECT_TRUE(f.is_out(0)) << "the second one keeps its place under its id";
  EXPECT_FALSE(f.fails(1)) << "two of three would be more than half";

  f.built.sets->use(shop, {{}, conf.endpoints}, f.now.system);
  EXPECT_FALSE(f.at(0).passive->ejected) << "it comes as a new one";
  EXPECT_TRUE(f.is_out(1));
  f.pass(10s);
  EXPECT_EQ(f.ejections.end_due(f.now), std::vector<std::size_t>{shop});
  EXPECT_FALSE(f.is_out(1));
}

TEST(Ejections, WhatElseChangesOfAnEndpointChangesNothingOfItsEjection) {
  conf::Service conf = service_of(4);
  Fixture f(conf);
  ASSERT_TRUE(f.fails(0));
  const auto id = f.at(0).id;
  conf.endpoints[0].weight = 7;
  conf.endpoints[0].zone = "b";
  f.built.sets->use(shop, {{}, conf.endpoints}, f.now.system);
  EXPECT_EQ(f.at(0).id, id);
  EXPECT_TRUE(f.at(0).passive->ejected);
  f.pass(1s);
  EXPECT_EQ(f.ejections.succeeded(f.target_of(0), f.now.steady, f.now).size(), 1u);
  EXPECT_FALSE(f.at(0).passive->ejected);
}

TEST(Ejections, ServicesWithoutEjectionEjectNobody) {
  conf::Service conf = service_of(4);
  conf.ejection.reset();
  Fixture f(conf);
  EXPECT_FALSE(f.fails(0));
}

}  // namespace
}  // namespace telltale::proxy
