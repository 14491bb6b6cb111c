#pragma once

#include "proxy/health/probe_history.h"
#include "proxy/health/probe_target.h"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace telltale::proxy {

struct HealthCheckerOptions {
  std::uint64_t seed = 0;  ///< of the jitter
  /// For HealthVerdict::since(). Default: the system's clock.
  std::function<std::chrono::system_clock::time_point()> now;
  /// After verdicts changed, once for all changes of a pass: the services that they affect, each once.
  std::function<void(const std::vector<std::size_t>& services)> on_affected;
  /// After the verdict was written. `before` is the state that it was in.
  std::function<void(const ProbeTarget&, HealthState before)> on_change;
  /// After every probe, before it is counted.
  std::function<void(const ProbeTarget&, const ProbeResult&)> on_probe;
  /// After on_probe, if the target was found healthy: when the probe began.
  std::function<void(const ProbeTarget&, std::chrono::steady_clock::time_point began)> on_success;
};

/// Probes every target at its interval ± 10 % and writes the verdicts; see README.md beside this file. A change of
/// state is logged once, with its reason. All on the io_context's thread (the control thread), callbacks too: they may
/// call any of this. The first probes are spread over a millisecond a target, and over one interval at most.
class HealthChecker {
 public:
  using Options = HealthCheckerOptions;

  /// Throws std::system_error when the system refuses epoll.
  HealthChecker(boost::asio::io_context& io, std::vector<ProbeTarget> targets, Options options = {});
  /// Stops. Handlers that are still queued in the io_context do nothing; targets are not used any more.
  ~HealthChecker();
  HealthChecker(const HealthChecker&) = delete;
  HealthChecker& operator=(const HealthChecker&) = delete;

  /// Once.
  void start();
  /// Idempotent: closes every connection, no callback comes after it. Verdicts stay as they are.
  void stop();
  /// Probes these from now on, each verdict once. Those whose verdict was among the targets before go on undisturbed,
  /// with what else is new of them taken over, unless they are asked elsewhere or otherwise (address, kind,
  /// send_proxy); these and new ones begin, spread as at the start. Of those that went away no callback tells any more.
  void update(std::vector<ProbeTarget> targets);
  /// Calls on_affected now for what has changed by now, instead of a moment later.
  void tell_changes();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace telltale::proxy
