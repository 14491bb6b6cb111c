#pragma once

#include "proxy/health/probe_history.h"
#include "proxy/upstream/service_builder.h"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace telltale::proxy {

struct HealthCheckerOptions {
  std::uint64_t seed = 0;  ///< of the jitter
  std::function<std::chrono::system_clock::time_point()>
      now;  ///< default: the system's clock; for HealthVerdict::since()
  /// After the verdict was written. `before` is the state that it was in.
  std::function<void(const ProbeTarget&, HealthState before)> on_change;
  /// After every probe, before it is counted.
  std::function<void(const ProbeTarget&, const ProbeResult&)> on_probe;
};

/// Probes every target at its interval ± 10 % and writes the verdicts; services whose verdicts changed get a new
/// version. A change of state is logged once, with its reason. All on the io_context's thread (the control thread),
/// callbacks too. The first probes are spread over a millisecond a target, and over one interval at most.
class HealthChecker {
 public:
  using Options = HealthCheckerOptions;

  HealthChecker(boost::asio::io_context& io, std::vector<ProbeTarget> targets, Options options = {});
  /// Stops. Handlers that are still queued in the io_context do nothing; neither targets nor services are used any
  /// more.
  ~HealthChecker();
  HealthChecker(const HealthChecker&) = delete;
  HealthChecker& operator=(const HealthChecker&) = delete;

  /// Once.
  void start();
  /// Idempotent: closes every connection, no callback comes after it. Verdicts stay as they are.
  void stop();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace telltale::proxy
