#include "proxy/server/service_health.h"

#include <gtest/gtest.h>

#include <memory>

namespace telltale::proxy {
namespace {

struct Fixture {
  explicit Fixture(std::size_t count, Location location = {}) {
    for (std::size_t i = 0; i < count; ++i) {
      conf::Service conf;
      conf.name = "s" + std::to_string(i);
      conf.health.emplace();
      if (!location.node_name.empty()) conf.external_traffic_policy = conf::TrafficPolicy::local;
      conf.endpoints.emplace_back().address.ip = net::IpPort{net::IpAddress::v4(10, 0, 0, 1), std::uint16_t(i + 1)};
      services.push_back(std::make_shared<Service>(conf, i));
    }
    directory = std::make_unique<Directory>(io, services, std::move(location), 1, 1);
    for (const auto& each : services) directory->begin_with(each->index(), {{}, each->conf().endpoints});
    directory->first_updates();
    served.assign(count, {true, false});
  }
  void set(std::size_t i, HealthState state) {
    services[i]->set().endpoints[0]->verdict->set(state, "", std::chrono::system_clock::now());
    directory->first_updates();
  }
  boost::asio::io_context io;
  std::vector<std::shared_ptr<Service>> services;
  std::unique_ptr<Directory> directory;
  ServedTraffic served;
};

TEST(ServiceHealth, OneServiceThatCanServeIsEnough) {
  Fixture f(2);
  EXPECT_EQ(endpoints_problem(*f.directory, f.served), "") << "nothing is known: they are tried";
  f.set(0, HealthState::unhealthy);
  EXPECT_EQ(endpoints_problem(*f.directory, f.served), "");
  f.set(1, HealthState::draining);
  EXPECT_EQ(endpoints_problem(*f.directory, f.served),
            "no service has an endpoint that is fit to serve (s0: no_endpoint, s1: no_endpoint)");
  f.set(0, HealthState::healthy);
  EXPECT_EQ(endpoints_problem(*f.directory, f.served), "");
}

TEST(ServiceHealth, EndpointsOfOtherNodesAreNoneUnderALocalPolicy) {
  Fixture f(1, {"here", ""});
  f.set(0, HealthState::healthy);
  EXPECT_EQ(endpoints_problem(*f.directory, f.served),
            "no service has an endpoint that is fit to serve (s0: no_local_endpoint)");
}

TEST(ServiceHealth, TrafficThatNobodyLeadsThereDoesNotCount) {
  conf::Model model;
  model.services.resize(3);
  for (const bool internal : {false, true}) {
    conf::Listener& listener = model.listeners.emplace_back();
    listener.internal = internal;
    listener.routes.resize(2);
    listener.routes[0].service = 0;
    if (internal) listener.routes[1].service = 2;
  }
  const ServedTraffic served = served_traffic(model);
  EXPECT_EQ(served, (ServedTraffic{{true, true}, {false, false}, {false, true}}));

  Fixture f(3, {"here", ""});
  for (std::size_t i = 0; i < 3; ++i) f.set(i, HealthState::healthy);
  EXPECT_EQ(endpoints_problem(*f.directory, served), "") << "internal traffic has the policy cluster";
  EXPECT_EQ(endpoints_problem(*f.directory, {{true, false}, {false, false}, {false, true}}), "");
  EXPECT_EQ(endpoints_problem(*f.directory, {{true, false}, {false, false}, {false, false}}),
            "no service has an endpoint that is fit to serve (s0: no_local_endpoint)");
  EXPECT_EQ(endpoints_problem(*f.directory, {{false, false}, {false, false}, {false, false}}), "") << "nothing to miss";
}

TEST(ServiceHealth, NotEveryOneOfManyServicesIsNamed) {
  Fixture f(10);
  for (std::size_t i = 0; i < 10; ++i) f.set(i, HealthState::unhealthy);
  const std::string problem = endpoints_problem(*f.directory, f.served);
  EXPECT_NE(problem.find("s7: no_endpoint, and 2 more)"), std::string::npos) << problem;
}

TEST(ServiceHealth, WithoutServicesThereIsNothingToMiss) {
  EXPECT_EQ(endpoints_problem(*Fixture(0).directory, {}), "");
}

TEST(ServiceHealth, ReadyIfEveryCheckIs) {
  Fixture f(1);
  const auto problems = [&](const ProcessState& state) {
    std::string text;
    for (const auto& check : ready_checks(*f.directory, f.served, state))
      text.append(check.name) += "=" + check.problem + ";";
    return text;
  };
  EXPECT_EQ(problems({.workers = 2, .workers_running = 2}), "drain=;workers=;endpoints=;");
  EXPECT_EQ(problems({.workers = 2, .workers_running = 1}), "drain=;workers=1 of 2 workers run;endpoints=;");
  f.set(0, HealthState::unhealthy);
  EXPECT_EQ(problems({.workers = 2, .workers_running = 2, .draining = true}),
            "drain=draining;workers=;endpoints=no service has an endpoint that is fit to serve (s0: no_endpoint);");
}

TEST(ServiceHealth, StatusesSayWhoMayBeChosenByTrafficAndHowOftenOneWasEjected) {
  Fixture f(2);
  f.set(1, HealthState::healthy);
  const auto ejector = std::make_shared<Ejector>(f.io, f.services, Location(), [](std::size_t) {});
  const auto statuses = service_statuses(*f.directory, *ejector);
  ASSERT_EQ(statuses.size(), 2u);
  EXPECT_EQ(statuses[0].selections[0].reason, SelectionReason::unknown);
  EXPECT_EQ(statuses[1].selections[0].reason, SelectionReason::fit);
  EXPECT_EQ(statuses[1].selections[1].reason, SelectionReason::fit);
  EXPECT_EQ(statuses[1].selections[1].eligible, 1u);
  EXPECT_EQ(statuses[1].ejections, 0u);
}

}  // namespace
}  // namespace telltale::proxy
