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
#include <utility>
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

/// Runs the loop until it is so; false: it was not so in time.
template <class Condition>
bool run_until(boost::asio::io_context& io, Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!condition() && std::chrono::steady_clock::now() < deadline) io.run_one_for(100ms);
  return condition();
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

/// What is probed at `address`, the way the tests of the checker have it.
inline conf::Health quick(conf::ProbeKind kind = conf::ProbeKind::http) {
  conf::Health health;
  health.kind = kind;
  health.interval = health.fast_interval = 10ms;
  health.timeout = 5s;  // the tests that are about it set their own
  return health;
}
inline ProbeTarget target_at(const conf::Address& address, conf::Health health = quick(),
                             std::string name = "shop/pod") {
  std::string host = !health.host.empty() ? health.host : address.ip ? address.to_string() : "localhost";
  return {std::make_shared<const conf::Health>(std::move(health)),
          std::move(host),
          address,
          std::make_shared<HealthVerdict>(),
          std::move(name),
          {0},
          {}};
}

/// One target, its checker, and all that it told.
class Checked {
 public:
  Checked(boost::asio::io_context& io, const conf::Address& address, conf::Health health = quick())
      : Checked(io, target_at(address, std::move(health))) {}
  Checked(boost::asio::io_context& io, ProbeTarget target) : io_(io), verdict_(target.verdict) {
    HealthCheckerOptions options;
    options.seed = 1;
    options.now = [this] { return now; };
    options.on_probe = [this](const ProbeTarget&, const ProbeResult& result) {
      results.push_back(result);
      probed_at.push_back(std::chrono::steady_clock::now());
      if (on_probe) on_probe();
    };
    options.on_change = [this](const ProbeTarget& changed, HealthState before) {
      changes.push_back(std::string(to_string(before)) + " > " + std::string(to_string(changed.verdict->state())));
    };
    options.on_affected = [this](const std::vector<std::size_t>& services) { affected.push_back(services); };
    std::vector<ProbeTarget> targets;
    targets.push_back(std::move(target));
    checker.emplace(io, std::move(targets), std::move(options));
    checker->start();
  }

  const HealthVerdict& verdict() { return *verdict_; }
  HealthState state() { return verdict_->state(); }

  /// Runs the loop until it is so; false: it was not so in time.
  template <class Condition>
  bool until(Condition condition) {
    return run_until(io_, condition);
  }
  bool until_state(HealthState wanted) {
    return until([&] { return state() == wanted; });
  }
  bool until_probes(std::size_t count) {
    return until([&] { return results.size() >= count; });
  }

  std::chrono::system_clock::time_point now{1000s};
  std::vector<ProbeResult> results;
  std::vector<std::chrono::steady_clock::time_point> probed_at;  // of each result
  std::vector<std::string> changes;
  std::vector<std::vector<std::size_t>> affected;
  std::function<void()> on_probe;
  LogCapture log;
  std::optional<HealthChecker> checker;

 private:
  boost::asio::io_context& io_;
  std::shared_ptr<HealthVerdict> verdict_;
};

inline std::size_t count(const std::vector<ProbeResult>& results, ProbeOutcome outcome) {
  return static_cast<std::size_t>(
      std::count_if(results.begin(), results.end(), [&](const ProbeResult& r) { return r.outcome == outcome; }));
}

}  // namespace telltale::proxy::test
