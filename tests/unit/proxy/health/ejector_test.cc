#include "proxy/health/ejector.h"

#include "proxy/upstream/local_service.h"
#include "tests/unit/proxy/upstream/built.h"

#include <gtest/gtest.h>

#include <functional>
#include <thread>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;

struct Fixture {
  explicit Fixture(std::chrono::milliseconds time) : built({conf(time)}) {
    ejector = std::make_shared<Ejector>(io, built.services, Location(), [this](std::size_t) { ++changes; });
    ejector->start();
  }
  static conf::Service conf(std::chrono::milliseconds time) {
    conf::Service conf;
    conf.name = "shop";
    conf.ejection = conf::Ejection{.failures = 3, .time = time};
    for (std::uint8_t i = 1; i <= 4; ++i) {
      conf.endpoints.emplace_back().address.ip = net::IpPort{net::IpAddress::v4(10, 0, 0, i), 80};
    }
    return conf;
  }
  bool until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!condition() && std::chrono::steady_clock::now() < deadline) {
      io.restart();
      io.run_one_for(10ms);
    }
    return condition();
  }
  const Endpoint& at(std::size_t i) const { return *built.set().endpoints[i]; }

  boost::asio::io_context io;
  test::Built built;
  std::shared_ptr<Ejector> ejector;
  int changes = 0;
};

TEST(Ejector, FailuresOfAllWorkersTogetherTakeAnEndpointOutAndItsTimeBringsItBack) {
  Fixture f(20ms);
  // Three workers, one failure each; a fourth thing that fails is not reported again.
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back([&] {
      EventLoop loop;
      ServiceMetrics metrics;
      LocalService local(loop, f.built.services[0], metrics);
      LocalEndpoint endpoint(f.built.set().endpoints[0], {}, metrics);
      local.failed(endpoint, "connection refused");
    });
  }
  for (auto& worker : workers) worker.join();
  EXPECT_FALSE(f.at(0).passive->ejected) << "the control thread decides";
  ASSERT_TRUE(f.until([&] { return f.changes == 1; }));
  EXPECT_TRUE(f.at(0).passive->ejected);
  EXPECT_EQ(f.at(0).passive->reason, "3 failures in a row, the last: connection refused");
  EXPECT_EQ(f.ejector->total(0), 1u);
  ASSERT_TRUE(f.until([&] { return f.changes == 2; }));
  EXPECT_FALSE(f.at(0).passive->ejected);
}

TEST(Ejector, ASuccessInBetweenStartsTheCountAnew) {
  Fixture f(1h);
  EventLoop loop;
  ServiceMetrics metrics;
  LocalService local(loop, f.built.services[0], metrics);
  LocalEndpoint endpoint(f.built.set().endpoints[0], {}, metrics);
  for (int i = 0; i < 5; ++i) {
    local.failed(endpoint, "reset");
    local.failed(endpoint, "reset");
    local.succeeded(endpoint);
  }
  f.io.run_for(1ms);
  EXPECT_EQ(f.ejector->total(0), 0u);
}

TEST(Ejector, AReportThatComesTooLateFindsNobody) {
  Fixture f(1h);
  f.built.services[0]->report_failing(f.at(0).id, "x");
  f.ejector->stop();
  f.built.services[0]->report_failing(f.at(1).id, "x");
  f.io.run_for(1ms);
  EXPECT_EQ(f.ejector->total(0), 0u);
  f.ejector.reset();
  f.built.services[0]->report_failing(f.at(1).id, "x");
  f.io.restart();
  f.io.run_for(1ms);
  EXPECT_FALSE(f.at(1).passive->ejected);
}

}  // namespace
}  // namespace telltale::proxy
