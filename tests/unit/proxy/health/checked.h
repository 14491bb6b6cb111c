#pragma once

#include "proxy/health/checker.h"
#include "tests/unit/proxy/health/fake_node.h"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::proxy::test {

using namespace std::chrono_literals;
using Then = FakeNode::Then;

inline std::string response(unsigned status, std::string_view body, std::string_view fields = "") {
  return "HTTP/1.1 " + std::to_string(status) + " Any\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}
inline FakeNode::Script always(std::string octets, Then then = Then::keep) {
  return [octets, then](std::string_view) { return FakeNode::Answer{octets, then}; };
}

/// What the default logger says, kept.
class LogCapture {
 public:
  LogCapture() : before_(spdlog::default_logger()) {
    auto logger = std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
    logger->set_pattern("%l %v");
    spdlog::set_default_logger(logger);
  }
  ~LogCapture() { spdlog::set_default_logger(before_); }
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

/// One service with one endpoint at the node, its checker, and all that it told.
class Checked {
 public:
  Checked(boost::asio::io_context& io, const conf::Address& address, conf::Health health = quick()) : io_(io) {
    conf::Service service;
    service.name = "shop";
    service.health = health;
    service.endpoints = {{address, "pod", 1}};
    set_ = ServiceBuilder::build({&service, 1});
    HealthCheckerOptions options;
    options.seed = 1;
    options.now = [this] { return now; };
    options.on_probe = [this](const ProbeTarget&, const ProbeResult& result) {
      results.push_back(result);
      if (on_probe) on_probe();
    };
    options.on_change = [this](const ProbeTarget& target, HealthState before) {
      changes.push_back(std::string(to_string(before)) + " > " + std::string(to_string(target.verdict->state())));
    };
    checker.emplace(io, set_.probe_targets, std::move(options));
    checker->start();
  }

  static conf::Health quick() {
    conf::Health health;
    health.interval = 10ms;
    health.timeout = 5s;  // the tests that are about it set their own
    return health;
  }

  Service& service() { return *set_.services[0]; }
  const HealthVerdict& verdict() { return *set_.probe_targets[0].verdict; }
  HealthState state() { return service().endpoints()[0]->state(); }

  /// Runs the loop until it is so; false: it was not so in time.
  template <class Condition>
  bool until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition() && std::chrono::steady_clock::now() < deadline) io_.run_one_for(100ms);
    return condition();
  }
  bool until_state(HealthState wanted) {
    return until([&] { return state() == wanted; });
  }
  bool until_probes(std::size_t count) {
    return until([&] { return results.size() >= count; });
  }

  std::chrono::system_clock::time_point now{1000s};
  std::vector<ProbeResult> results;
  std::vector<std::string> changes;
  std::function<void()> on_probe;
  LogCapture log;
  std::optional<HealthChecker> checker;

 private:
  boost::asio::io_context& io_;
  ServiceSet set_;
};

inline std::size_t count(const std::vector<ProbeResult>& results, ProbeOutcome outcome) {
  return static_cast<std::size_t>(
      std::count_if(results.begin(), results.end(), [&](const ProbeResult& r) { return r.outcome == outcome; }));
}

}  // namespace telltale::proxy::test
