#include "proxy/upstream/directory.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;

conf::Service service(const std::string& name, std::uint8_t count) {
  conf::Service conf;
  conf.name = name;
  conf.health.emplace();
  for (std::uint8_t i = 1; i <= count; ++i) {
    conf::Endpoint& endpoint = conf.endpoints.emplace_back();
    endpoint.address.ip = net::IpPort{net::IpAddress::v4(10, 0, 0, i), 80};
  }
  return conf;
}

/// The workers and what they were told of each service.
struct Fixture {
  explicit Fixture(const std::vector<conf::Service>& confs, const Location& location = {}, std::size_t workers = 2) {
    std::vector<std::shared_ptr<Service>> services;
    for (const auto& conf : confs) services.push_back(std::make_shared<Service>(conf, services.size()));
    directory = std::make_unique<Directory>(io, services, location, workers, 1);
    for (const auto& each : services) directory->begin_with(each->index(), {{}, each->conf().endpoints});
  }
  void start() {
    directory->start([this](std::size_t worker, std::size_t service, ServiceUpdate update) {
      ++published[service];
      last[worker][service] = std::move(update);
    });
  }
  void set(std::size_t i, HealthState state) {
    directory->services()[0]->set().endpoints[i]->verdict->set(state, "", std::chrono::system_clock::now());
  }
  bool until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!condition() && std::chrono::steady_clock::now() < deadline) io.run_one_for(100ms);
    return condition();
  }
  std::size_t eligible(std::size_t worker, std::size_t service) {
    const auto& bits = *last[worker][service].by_traffic[0].eligible;
    return static_cast<std::size_t>(std::ranges::count(bits, true));
  }

  boost::asio::io_context io;
  std::unique_ptr<Directory> directory;
  std::map<std::size_t, int> published;  // by service; of both workers
  std::map<std::size_t, std::map<std::size_t, ServiceUpdate>> last;
};

TEST(Directory, GivesEachWorkerABalancerOfItsOwn) {
  Fixture f({service("a", 3), service("b", 0)});
  const auto updates = f.directory->first_updates();
  ASSERT_EQ(updates.size(), 2u);
  ASSERT_EQ(updates[1].size(), 2u);
  EXPECT_NE(updates[0][0].by_traffic[0].balancer, nullptr);
  EXPECT_NE(updates[0][0].by_traffic[0].balancer, updates[1][0].by_traffic[0].balancer);
  EXPECT_EQ(updates[0][0].by_traffic[0].eligible, updates[1][0].by_traffic[0].eligible);
  EXPECT_EQ(updates[0][0].by_traffic[0].reason, SelectionReason::unknown) << "nobody was probed yet";
  EXPECT_EQ(updates[0][1].by_traffic[0].balancer, nullptr);
  EXPECT_EQ(f.directory->reason(1, TrafficKind::internal), SelectionReason::no_endpoint);
}

TEST(Directory, SpreadsWorkersOverTheEndpointsEachTimeAnew) {
  constexpr std::size_t workers = 8, endpoints = 100;
  Fixture f({service("a", endpoints)}, {}, workers);
  std::vector<std::vector<std::size_t>> seen;
  const auto note = [&](auto update_of) {
    auto& begins = seen.emplace_back();
    for (std::size_t worker = 0; worker < workers; ++worker) {
      begins.push_back(update_of(worker).by_traffic[0].balancer->pick({}));
    }
    std::vector<std::size_t> sorted = begins;
    std::ranges::sort(sorted);
    for (std::size_t i = 0; i < workers; ++i) {
      // Of eight steps by the golden ratio, two are at least 0.09 apart.
      const std::size_t next = i + 1 < workers ? sorted[i + 1] : sorted[0] + endpoints;
      EXPECT_GE(next - sorted[i], 8u) << "update " << seen.size();
    }
  };
  auto first = f.directory->first_updates();
  note([&](std::size_t worker) -> ServiceUpdate& { return first[worker][0]; });
  f.start();
  for (int i = 0; i < 5; ++i) {
    f.last.clear();
    f.directory->refresh(0);
    f.directory->publish_waiting();
    ASSERT_EQ(f.last.size(), workers);
    note([&](std::size_t worker) -> ServiceUpdate& { return f.last[worker][0]; });
  }
  EXPECT_NE(seen[0], seen[1]) << "a new phase";
}

TEST(Directory, PublishesWhatChangedToAllWorkers) {
  Fixture f({service("a", 3), service("b", 1)});
  f.directory->refresh(0);
  EXPECT_TRUE(f.published.empty()) << "nobody to tell yet";
  f.start();
  f.set(1, HealthState::healthy);
  f.directory->refresh(0);
  ASSERT_TRUE(f.until([&] { return f.published[0] == 2; }));
  EXPECT_EQ(f.eligible(0, 0), 1u);
  EXPECT_EQ(f.eligible(1, 0), 1u);
  EXPECT_EQ(f.last[0][0].by_traffic[0].reason, SelectionReason::fit);
  EXPECT_EQ(f.published.count(1), 0u);

  Members members{{}, service("", 5).endpoints};
  f.directory->use(0, members);
  ASSERT_TRUE(f.until([&] { return f.published[0] == 4; }));
  EXPECT_EQ(f.last[1][0].set->endpoints.size(), 5u);
  EXPECT_EQ(f.directory->probe_targets().size(), 5u) << "of which b's one is one of a's";
}

TEST(Directory, ManyChangesInARowAreFewPublications) {
  Fixture f({service("a", 200)});
  f.start();
  for (std::size_t i = 0; i < 200; ++i) {
    f.set(i, HealthState::healthy);
    f.directory->refresh(0);
  }
  ASSERT_TRUE(f.until([&] { return f.last[1].contains(0) && f.eligible(1, 0) == 200; })) << "the last state comes out";
  EXPECT_LT(f.published[0], 200) << "each would be two";
}

TEST(Directory, LooksAgainWhileAnEndpointStartsSlowly) {
  conf::Service conf = service("a", 2);
  conf.slow_start = 200ms;
  Fixture f({conf});
  f.start();
  f.set(0, HealthState::healthy);
  f.set(1, HealthState::unhealthy);
  f.set(1, HealthState::healthy);
  f.directory->refresh(0);
  ASSERT_TRUE(f.until([&] { return f.published[0] >= 10; })) << "weights grow step by step";
  int settled = -1;
  ASSERT_TRUE(f.until([&] {
    const bool same = settled == f.published[0] && f.io.poll() == 0;
    settled = f.published[0];
    return same && std::chrono::system_clock::now() > f.directory->services()[0]->set().endpoints[1]->came() + 300ms;
  }));
  EXPECT_LE(f.published[0], 2 * 24);
}

TEST(Directory, SaysNothingOnceStopped) {
  Fixture f({service("a", 1)});
  f.start();
  f.directory->stop();
  f.set(0, HealthState::healthy);
  f.directory->refresh(0);
  f.directory->use(0, {});
  f.io.run_for(20ms);
  EXPECT_TRUE(f.published.empty());
}

TEST(Directory, TellsTrafficApartWherePoliciesDiffer) {
  conf::Service conf = service("a", 2);
  conf.internal_traffic_policy = conf::TrafficPolicy::local;
  Fixture f({conf}, {"n1", ""});
  const auto updates = f.directory->first_updates();
  EXPECT_EQ(updates[0][0].by_traffic[0].reason, SelectionReason::unknown);
  EXPECT_EQ(updates[0][0].by_traffic[1].reason, SelectionReason::no_local_endpoint);
  EXPECT_EQ(f.directory->reason(0, TrafficKind::internal), SelectionReason::no_local_endpoint);
  EXPECT_EQ(f.directory->eligible_count(0, TrafficKind::external), 2u);
  EXPECT_EQ(f.directory->eligible_count(0, TrafficKind::internal), 0u);
  EXPECT_EQ(*updates[0][0].by_traffic[0].eligible, (std::vector<bool>{true, true}));
  EXPECT_EQ(*updates[0][0].by_traffic[1].eligible, (std::vector<bool>{false, false}));
}

TEST(Directory, KnowsWhoMayBeChosenAsItWasPublishedLast) {
  Fixture f({service("a", 3)});
  EXPECT_EQ(f.directory->eligible_count(0, TrafficKind::external), 0u) << "nothing yet";
  f.start();
  std::vector<std::size_t> counts;
  f.directory->on_publish(
      [&](std::size_t) { counts.push_back(f.directory->eligible_count(0, TrafficKind::internal)); });
  f.set(2, HealthState::healthy);
  f.directory->refresh(0);
  ASSERT_TRUE(f.until([&] { return f.published[0] == 2; }));
  EXPECT_EQ(counts, std::vector<std::size_t>{1}) << "traffic is not told apart";
}

}  // namespace
}  // namespace telltale::proxy
