// What LocalService says of limits: requests, retries, connections.
#include "proxy/upstream/local_service.h"
#include "tests/unit/proxy/net/socket_pair.h"
#include "tests/unit/proxy/upstream/built.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace telltale::proxy {
namespace {

using Sent = LocalService::Sent;

/// Two workers of a service of 10.0.0.1 … 10.0.0.3, each of which may be chosen.
class Limits : public ::testing::Test {
 protected:
  void start(conf::Service conf) {
    conf.name = "s";
    for (std::uint8_t i = 1; i <= 3; ++i) {
      conf.endpoints.emplace_back().address.ip = net::IpPort{net::IpAddress::v4(10, 0, 0, i), 80};
    }
    built_ = std::make_unique<test::Built>(std::vector<conf::Service>{conf});
    for (auto& worker : workers_) {
      worker.local = std::make_unique<LocalService>(worker.loop, built_->services[0], worker.metrics);
    }
    choose({0, 1, 2});
  }
  void choose(const std::vector<std::uint32_t>& indexes) {
    for (auto& worker : workers_) {
      ServiceUpdate update;
      update.set = built_->services[0]->shared_set();
      auto eligible = std::make_shared<std::vector<bool>>(3);
      std::vector<Candidate> candidates;
      for (const auto index : indexes) (*eligible)[index] = true, candidates.push_back({index, 1, index});
      const std::uint64_t seeds[] = {1};
      std::unique_ptr<Balancer> balancer;
      if (!indexes.empty())
        balancer = std::move(make_balancers(built_->services[0]->conf().balance, candidates, seeds)[0]);
      update.by_traffic[0] = {std::move(balancer), SelectionReason::fit, eligible};
      worker.local->update(std::move(update));
    }
  }

  struct OneWorker {
    ServiceMetrics metrics;
    EventLoop loop;
    std::unique_ptr<LocalService> local;
  };
  std::unique_ptr<test::Built> built_;
  OneWorker workers_[2];
  LocalService& one() { return *workers_[0].local; }
  LocalService& two() { return *workers_[1].local; }
  CircuitBreaker& breaker() { return built_->services[0]->breaker(); }
};

TEST_F(Limits, RequestsAreCountedInAllWorkers) {
  conf::Service conf;
  conf.circuit_breakers.max_requests = 2;
  start(conf);
  Permit a, b, c;
  EXPECT_TRUE(one().admit(a));
  EXPECT_TRUE(two().admit(b));
  EXPECT_FALSE(one().admit(c));
  a.release();
  EXPECT_TRUE(two().admit(c));
}

TEST_F(Limits, WithoutALimitNothingIsCounted) {
  start({});
  Permit request;
  RetryPermit retry;
  Turn turn;
  EXPECT_TRUE(one().admit(request));
  EXPECT_EQ(one().admit_retry(retry, {}, Sent::something), RetryRefusal::none);
  LocalEndpoint& endpoint = *one().enter({});
  const auto connection = one().connection_to(endpoint, "", turn);
  ASSERT_NE(connection, nullptr);
  EXPECT_FALSE(connection->slot);
  for (const auto* count : {&breaker().requests, &breaker().retries, &breaker().connections}) {
    EXPECT_EQ(count->value(), 0u);
  }
  EXPECT_TRUE(built_->services[0]->lines().workers().empty());
  one().leave(endpoint);
}

TEST_F(Limits, WhoWaitsGivesUpAfterPendingTimeout) {
  conf::Service conf;
  conf.circuit_breakers.max_connections = 1;
  conf.circuit_breakers.pending_timeout = std::chrono::milliseconds(700);
  start(conf);
  LocalEndpoint& endpoint = *one().enter({});
  Turn first, second;
  Readiness wake;
  const auto connection = one().connection_to(endpoint, "", first);
  ASSERT_NE(connection, nullptr);
  ASSERT_EQ(one().connection_to(endpoint, "", second), nullptr);
  ASSERT_TRUE(one().wait(second, wake));
  EXPECT_EQ(one().pending_until(second), workers_[0].loop.now() + std::chrono::milliseconds(700));
  second.reset();
  one().leave(endpoint);
}

TEST_F(Limits, RetriesHaveABudgetOfTheirWorkerAndALimitOfAll) {
  conf::Service conf;
  conf.circuit_breakers.max_retries = 3;
  conf::Retries retries;
  retries.budget = 50;
  retries.min_concurrent = 1;
  start(conf);
  RetryPermit a, b, c, d, e;
  EXPECT_EQ(one().admit_retry(a, retries, Sent::something), RetryRefusal::none);
  EXPECT_EQ(one().admit_retry(a, retries, Sent::something), RetryRefusal::none) << "one request is one retry";
  EXPECT_EQ(breaker().retries.value(), 1u);
  EXPECT_EQ(one().admit_retry(b, retries, Sent::something), RetryRefusal::budget);
  EXPECT_EQ(two().admit_retry(b, retries, Sent::something), RetryRefusal::none) << "of the other worker";
  workers_[0].metrics.requests_active.add(6);
  EXPECT_EQ(one().admit_retry(c, retries, Sent::something), RetryRefusal::none);
  EXPECT_EQ(one().admit_retry(d, retries, Sent::something), RetryRefusal::max_retries);
  EXPECT_EQ(workers_[0].metrics.retries_active.value(), 2u);
  a.release();
  EXPECT_EQ(one().admit_retry(d, retries, Sent::something), RetryRefusal::none);
  EXPECT_EQ(one().admit_retry(e, retries, Sent::something), RetryRefusal::max_retries);
  for (auto* const each : {&b, &c, &d}) each->release();
  EXPECT_EQ(breaker().retries.value(), 0u);
  EXPECT_EQ(workers_[0].metrics.retries_active.value() + workers_[1].metrics.retries_active.value(), 0u);
}

TEST_F(Limits, ARetryAfterAFailedConnectNeedsNoBudget) {
  conf::Service conf;
  conf.circuit_breakers.max_retries = 2;
  conf::Retries retries;
  retries.budget = retries.min_concurrent = 0;
  start(conf);
  RetryPermit a, b, c;
  EXPECT_EQ(one().admit_retry(a, retries, Sent::nothing), RetryRefusal::none);
  EXPECT_EQ(one().admit_retry(a, retries, Sent::nothing), RetryRefusal::none) << "one request is one retry";
  EXPECT_EQ(breaker().retries.value(), 1u);
  EXPECT_EQ(workers_[0].metrics.retries_active.value(), 0u) << "it takes nothing of the others' budget";
  EXPECT_EQ(one().admit_retry(a, retries, Sent::something), RetryRefusal::budget) << "then something was sent";
  EXPECT_EQ(two().admit_retry(b, retries, Sent::nothing), RetryRefusal::none);
  EXPECT_EQ(one().admit_retry(c, retries, Sent::nothing), RetryRefusal::max_retries);
  retries.budget = 100;
  workers_[0].metrics.requests_active.add(1);
  EXPECT_EQ(one().admit_retry(a, retries, Sent::something), RetryRefusal::none);
  EXPECT_EQ(workers_[0].metrics.retries_active.value(), 1u);
  EXPECT_EQ(breaker().retries.value(), 2u);
  for (auto* const each : {&a, &b}) each->release();
  EXPECT_EQ(breaker().retries.value(), 0u);
  EXPECT_EQ(workers_[0].metrics.retries_active.value(), 0u);
}

TEST_F(Limits, AnotherEndpointIsOneThatMayBeChosenAndWasNotTried) {
  start({});
  const std::vector<std::uint32_t> first = {0}, all = {0, 1, 2};
  EXPECT_TRUE(one().has_other(TrafficKind::external, first));
  EXPECT_FALSE(one().has_other(TrafficKind::external, all));
  choose({0});
  EXPECT_FALSE(one().has_other(TrafficKind::external, first));
  choose({});
  EXPECT_FALSE(one().has_other(TrafficKind::external, {}));
}

/// A connection to `index`, put into its pool.
class IdleConnections : public Limits {
 protected:
  void with(conf::BalancePolicy policy) {
    conf::Service conf;
    conf.circuit_breakers.max_connections = 1;
    conf.balance.policy = policy;
    start(conf);
  }
  void make_idle(std::uint32_t index, std::string identity = {}) {
    const std::vector<std::uint32_t> others = {(index + 1) % 3, (index + 2) % 3};
    LocalEndpoint& endpoint = *one().enter({.tried = others});
    ASSERT_EQ(endpoint.endpoint->index, index);
    Turn turn;
    auto connection = one().connection_to(endpoint, std::move(identity), turn);
    ASSERT_NE(connection, nullptr);
    SocketPair pair(workers_[0].loop);
    connection->stream = std::move(pair.stream);
    others_.push_back(std::move(pair.other));
    endpoint.pool.release(std::move(connection));
    one().leave(endpoint);
  }
  /// How often of nine times who waited goes to `index`.
  int to(std::uint32_t index, std::vector<std::uint32_t> tried = {}) {
    int times = 0;
    for (int i = 0; i < 9; ++i) {
      LocalEndpoint& endpoint = *one().enter({.tried = tried, .prefers_idle = true});
      times += endpoint.endpoint->index == index;
      one().leave(endpoint);
    }
    return times;
  }
  std::vector<UniqueFd> others_;
};

TEST_F(IdleConnections, WhoWaitedGoesWhereOneIsIdle) {
  with(conf::BalancePolicy::round_robin);
  EXPECT_EQ(to(1), 3) << "none is";
  make_idle(1);
  EXPECT_EQ(to(1), 9);
  EXPECT_EQ(to(1, {1}), 0) << "not where it failed";
  choose({0, 2});
  EXPECT_EQ(to(1), 0) << "not where nobody may go";
}

TEST_F(IdleConnections, NotWhereAClientOfItsOwnUsedIt) {
  with(conf::BalancePolicy::round_robin);
  make_idle(1, "somebody else");
  EXPECT_EQ(to(1), 3);
}

TEST_F(IdleConnections, NotWhereAHashDecides) {
  with(conf::BalancePolicy::maglev);
  LocalEndpoint& by_hash = *one().enter({});
  const std::uint32_t chosen = by_hash.endpoint->index;
  one().leave(by_hash);
  make_idle((chosen + 1) % 3);
  EXPECT_EQ(to(chosen), 9);
}

TEST_F(IdleConnections, OneOfAnotherEndpointMakesRoom) {
  with(conf::BalancePolicy::round_robin);
  make_idle(1);
  const std::vector<std::uint32_t> others = {1, 2};
  LocalEndpoint& endpoint = *one().enter({.tried = others});
  Turn turn;
  const auto connection = one().connection_to(endpoint, "", turn);
  ASSERT_NE(connection, nullptr);
  EXPECT_FALSE(connection->reused);
  EXPECT_EQ(connection->endpoint, 0u);
  EXPECT_EQ(breaker().connections.value(), 1u);
  EXPECT_EQ(workers_[0].metrics.connections_idle.value(), 0u);
  Turn second;
  EXPECT_EQ(one().connection_to(endpoint, "", second), nullptr);
  one().leave(endpoint);
}

}  // namespace
}  // namespace telltale::proxy
