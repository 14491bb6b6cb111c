#include "proxy/upstream/local_service.h"

#include "tests/unit/proxy/upstream/built.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace telltale::proxy {
namespace {

using test::Built;

/// Chooses the endpoints that it is told, in turn.
class Scripted final : public Balancer {
 public:
  explicit Scripted(std::vector<std::uint32_t> indexes) : indexes_(std::move(indexes)) {}
  std::uint32_t pick(const PickInput& input) override {
    last = input;
    for (std::size_t i = 0; i < indexes_.size(); ++i) {
      const std::uint32_t index = indexes_[next_++ % indexes_.size()];
      if (std::ranges::find(input.avoid, index) == input.avoid.end()) return index;
    }
    return indexes_[0];
  }
  static inline PickInput last;

 private:
  std::vector<std::uint32_t> indexes_;
  std::size_t next_ = 0;
};

conf::Endpoint endpoint(std::uint8_t last) {
  conf::Endpoint e;
  e.address.ip = net::IpPort{net::IpAddress::v4(10, 0, 0, last), 80};
  return e;
}

std::vector<conf::Endpoint> endpoints(const std::vector<std::uint8_t>& lasts) {
  std::vector<conf::Endpoint> all;
  for (const auto last : lasts) all.push_back(endpoint(last));
  return all;
}

/// A service of 10.0.0.1, 10.0.0.2 … of which those may be chosen that choose() says.
class Fixture {
 public:
  explicit Fixture(std::size_t count, conf::Service conf = {}) : built_({with(std::move(conf), count)}) {}

  void members(const std::vector<std::uint8_t>& lasts) { built_.sets->use(0, {{}, endpoints(lasts)}, {}); }
  /// By traffic kind; the second only where the policies differ.
  void choose(std::vector<std::uint32_t> external, std::vector<std::uint32_t> internal = {}) {
    ServiceUpdate update;
    update.set = built_.services[0]->shared_set();
    std::size_t kind = 0;
    for (const auto& indexes : {external, internal}) {
      auto& part = update.by_traffic[kind++];
      auto eligible = std::make_shared<std::vector<bool>>(update.set->index_limit);
      for (const auto index : indexes) (*eligible)[index] = true;
      part.eligible = eligible;
      if (indexes.empty()) continue;
      part.balancer = std::make_unique<Scripted>(indexes);
      part.reason = SelectionReason::fit;
    }
    local.update(std::move(update));
  }
  /// The last number of its address; 0: nobody.
  int pick(LocalService::Pick pick = {}) {
    LocalEndpoint* const picked = local.enter(pick);
    if (picked == nullptr) return 0;
    const int last = picked->endpoint->address.ip->address.octets()[3];
    local.leave(*picked);
    return last;
  }

 private:
  static conf::Service with(conf::Service conf, std::size_t count) {
    conf.name = "s";
    for (std::size_t i = 1; i <= count; ++i) conf.endpoints.push_back(endpoint(static_cast<std::uint8_t>(i)));
    return conf;
  }

  Built built_;
  ServiceMetrics metrics_;
  EventLoop loop_;

 public:
  LocalService local{loop_, built_.services[0], metrics_};
};

TEST(LocalService, NobodyServesBeforeTheFirstUpdate) {
  Fixture f(1);
  EXPECT_EQ(f.pick(), 0);
  EXPECT_EQ(f.local.reason(TrafficKind::external), SelectionReason::no_endpoint);
}

TEST(LocalService, CountsUsersAndTellsTheBalancer) {
  Fixture f(3);
  f.choose({0, 2});
  LocalEndpoint* const first = f.local.enter({});
  LocalEndpoint* const third = f.local.enter({});
  LocalEndpoint* const again = f.local.enter({});
  EXPECT_EQ(first, again);
  EXPECT_EQ(first->users, 2u);
  f.pick({.hash = 7});
  EXPECT_EQ(std::vector(Scripted::last.loads.begin(), Scripted::last.loads.end()),
            (std::vector<std::uint32_t>{2, 0, 1}));
  EXPECT_EQ(Scripted::last.hash, 7u);
  f.local.leave(*first);
  f.local.leave(*third);
  f.local.leave(*again);
  EXPECT_EQ(first->users, 0u);
}

TEST(LocalService, WhoStaysKeepsItsStateAndWhoLeavesLivesUntilItsLastUserEnds) {
  Fixture f(2);
  f.choose({0, 1});
  LocalEndpoint* const one = f.local.enter({});
  LocalEndpoint* const two = f.local.enter({});
  f.members({2, 3});
  f.choose({1, 2});
  EXPECT_TRUE(one->gone);
  EXPECT_FALSE(two->gone);
  EXPECT_EQ(one->endpoint->address_text, "10.0.0.1:80");
  EXPECT_EQ(f.pick(), 2);
  EXPECT_EQ(f.pick(), 3);
  EXPECT_EQ(Scripted::last.loads[two->endpoint->index], 1u) << "in flight before, in flight after";
  f.local.leave(*one);
  f.local.leave(*two);
  EXPECT_EQ(two->users, 0u);
}

TEST(LocalService, APlaceThatIsTakenAgainIsAnotherEndpoint) {
  Fixture f(2);
  f.choose({0});
  LocalEndpoint* const one = f.local.enter({});
  f.members({2});
  f.members({2, 9});  // takes the place of the first
  f.choose({0, 1});
  EXPECT_TRUE(one->gone);
  EXPECT_EQ(f.pick(), 9);
  EXPECT_EQ(Scripted::last.loads[0], 0u);
  f.local.leave(*one);
}

TEST(LocalService, TrafficKindsAreToldApartOnlyWherePoliciesDiffer) {
  conf::Service conf;
  Fixture same(2, conf);
  same.choose({0});
  EXPECT_EQ(same.pick({.traffic = TrafficKind::internal}), 1);
  conf.internal_traffic_policy = conf::TrafficPolicy::local;
  Fixture apart(2, conf);
  apart.choose({0}, {1});
  EXPECT_EQ(apart.pick({.traffic = TrafficKind::external}), 1);
  EXPECT_EQ(apart.pick({.traffic = TrafficKind::internal}), 2);
  apart.choose({0}, {});
  EXPECT_EQ(apart.pick({.traffic = TrafficKind::internal}), 0);
  EXPECT_EQ(apart.local.reason(TrafficKind::internal), SelectionReason::no_endpoint);
}

class Affinity : public ::testing::Test {
 protected:
  static conf::Service with_affinity() {
    conf::Service conf;
    conf.session_affinity.emplace().timeout = std::chrono::seconds(10);
    return conf;
  }
  int pick(const net::IpAddress& client, std::vector<std::uint32_t> tried = {}) {
    return f.pick({.client = &client, .tried = tried, .now = now});
  }

  Fixture f{3, with_affinity()};
  AffinityTable::Clock::time_point now{std::chrono::hours(1)};
  const net::IpAddress ann = net::IpAddress::v4(198, 51, 100, 1), bob = *net::IpAddress::parse("2001:db8::2");
};

TEST_F(Affinity, AClientStaysWithItsEndpoint) {
  f.choose({0, 1, 2});
  const int anns = pick(ann), bobs = pick(bob);
  EXPECT_NE(anns, bobs);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(pick(ann), anns);
    EXPECT_EQ(pick(bob), bobs);
  }
  EXPECT_NE(f.pick({.now = now}), f.pick({.now = now})) << "without an address there is none";
}

TEST_F(Affinity, WhatIsNoLongerReadyIsLeftForGood) {
  f.choose({0});
  EXPECT_EQ(pick(ann), 1);
  f.choose({1, 2});
  EXPECT_EQ(pick(ann), 2);
  f.choose({0, 1, 2});
  EXPECT_EQ(pick(ann), 2);
}

TEST_F(Affinity, WhoTakesThePlaceOfOneThatWentGetsNoneOfItsClients) {
  f.choose({0});
  EXPECT_EQ(pick(ann), 1);
  f.members({2, 3});
  f.members({2, 3, 9});  // takes the place of the first
  f.choose({1, 0, 2});
  EXPECT_EQ(pick(ann), 2) << "the balancer's turn";
  EXPECT_EQ(pick(bob), 9);
  EXPECT_EQ(pick(ann), 2) << "and remembered";
  f.members({1, 3});  // the first is back, and another one to the service
  f.choose({3, 2});
  EXPECT_EQ(pick(ann), 1) << "it is chosen, not remembered";
}

TEST_F(Affinity, AFailedTryGoesElsewhereAndTheClientStays) {
  f.choose({0, 1});
  EXPECT_EQ(pick(ann), 1);
  EXPECT_EQ(pick(ann, {0}), 2);
  EXPECT_EQ(pick(ann), 1);
}

TEST_F(Affinity, EndsWhenTheClientWasAwayForTooLong) {
  f.choose({0, 1});
  EXPECT_EQ(pick(ann), 1);
  now += std::chrono::seconds(9);
  EXPECT_EQ(pick(ann), 1) << "and this counts as a use";
  now += std::chrono::seconds(9);
  EXPECT_EQ(pick(ann), 1);
  now += std::chrono::seconds(12);
  EXPECT_EQ(pick(ann), 2) << "the balancer's turn";
}

TEST_F(Affinity, AnotherWorkerSendsTheClientToTheSame) {
  conf::Service conf = with_affinity();
  conf.name = "s", conf.endpoints = endpoints({1, 2, 3});
  Built built({conf});
  ServiceMetrics metrics;
  EventLoop loop;
  LocalService workers[2] = {{loop, built.services[0], metrics}, {loop, built.services[0], metrics}};
  for (std::uint32_t i = 0; i < 2; ++i) {
    ServiceUpdate update;
    update.set = built.services[0]->shared_set();
    update.by_traffic[0] = {std::make_unique<Scripted>(std::vector<std::uint32_t>{i}), SelectionReason::fit,
                            std::make_shared<std::vector<bool>>(3, true)};
    workers[i].update(std::move(update));
  }
  LocalEndpoint* const one = workers[0].enter({.client = &ann, .now = now});
  LocalEndpoint* const same = workers[1].enter({.client = &ann, .now = now});
  LocalEndpoint* const other = workers[1].enter({.client = &bob, .now = now});
  EXPECT_EQ(same->endpoint, one->endpoint);
  EXPECT_NE(other->endpoint, one->endpoint);
}

TEST(LocalService, ReportsAnEndpointOnceWhenItFailsInARow) {
  conf::Service conf;
  conf.ejection.emplace().failures = 3;
  Fixture f(2, conf);
  f.choose({0});
  std::vector<std::string> reports;
  f.local.service().on_failing(
      [&](std::uint64_t id, const std::string& why) { reports.push_back(std::to_string(id) + " " + why); });
  LocalEndpoint& endpoint = *f.local.enter({});
  f.local.failed(endpoint, "refused");
  f.local.failed(endpoint, "refused");
  f.local.succeeded(endpoint);
  f.local.failed(endpoint, "refused");
  f.local.failed(endpoint, "refused");
  EXPECT_TRUE(reports.empty());
  f.local.failed(endpoint, "timed out");
  f.local.failed(endpoint, "timed out");
  EXPECT_EQ(reports, std::vector<std::string>{std::to_string(endpoint.endpoint->id) + " timed out"});
  f.local.leave(endpoint);
}

}  // namespace
}  // namespace telltale::proxy
