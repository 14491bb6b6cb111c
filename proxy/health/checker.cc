#include "proxy/health/checker.h"

#include "proxy/health/probe.h"
#include "proxy/health/schedule.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <random>
#include <utility>

namespace telltale::proxy {
namespace {

namespace asio = boost::asio;
using SteadyClock = std::chrono::steady_clock;

/// The timer goes off at multiples of this: ten thousand targets would otherwise wake it for each alone.
constexpr std::chrono::milliseconds tick{5};
constexpr double jitter = 0.1;

SteadyClock::time_point round_up(SteadyClock::time_point when) {
  const auto ticks = (when.time_since_epoch() + tick - SteadyClock::duration(1)) / tick;
  return SteadyClock::time_point(ticks * tick);
}

}  // namespace

class HealthChecker::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, std::vector<ProbeTarget> targets, Options options)
      : io_(io), timer_(io), schedule_(targets.size()), random_(options.seed), options_(std::move(options)) {
    if (!options_.now) options_.now = [] { return std::chrono::system_clock::now(); };
    watched_.reserve(targets.size());
    for (ProbeTarget& target : targets) watched_.emplace_back(std::move(target), io.get_executor());
  }

  void start();
  void stop();

 private:
  struct Watched {
    Watched(ProbeTarget t, const ProbeExecutor& executor)
        : target(std::move(t)),
          probe(probe_for(target.health.kind)),
          connection(executor),
          history({target.health.rise, target.health.fall, target.health.fall_draining}, target.verdict->state()) {}
    ProbeTarget target;
    Probe probe;
    ProbeConnection connection;
    ProbeHistory history;
    SteadyClock::time_point began{};
    bool running = false;
  };

  static ProbeAwaitable<void> run(std::shared_ptr<Impl> self, std::size_t i);
  void arm();
  void on_time();
  void begin(std::size_t i, SteadyClock::time_point now);
  void finish(std::size_t i, ProbeResult result);
  bool judge(Watched& watched, ProbeResult result);
  void announce(const Watched& watched, HealthState before) const;
  void mark_changed(const ProbeTarget& target);
  SteadyClock::duration jittered(conf::Milliseconds interval);

  asio::io_context& io_;
  asio::steady_timer timer_;
  SteadyClock::time_point armed_for_ = SteadyClock::time_point::max();
  Schedule schedule_;
  std::minstd_rand random_;
  Options options_;
  std::vector<Watched> watched_;
  std::vector<std::size_t> changed_;  // services; told once the handlers that are ready now have run
  bool stopped_ = false;
};

void HealthChecker::Impl::start() {
  using std::chrono::milliseconds;
  const auto now = SteadyClock::now();
  for (std::size_t i = 0; i < watched_.size(); ++i) {
    const SteadyClock::duration interval = watched_[i].target.health.interval;
    const auto count = static_cast<SteadyClock::rep>(watched_.size()), place = static_cast<SteadyClock::rep>(i);
    schedule_.set(i, now + std::min<SteadyClock::duration>(milliseconds(1), interval / count) * place);
  }
  on_time();
}

void HealthChecker::Impl::stop() {
  if (std::exchange(stopped_, true)) return;
  timer_.cancel();
  for (Watched& watched : watched_) watched.connection.expire();
  changed_.clear();
}

void HealthChecker::Impl::arm() {
  const auto next = schedule_.next();
  if (next == Schedule::Time::max()) return;
  const auto when = round_up(next);
  if (when >= armed_for_) return;
  armed_for_ = when;
  timer_.expires_at(when);
  timer_.async_wait([self = shared_from_this(), when](const boost::system::error_code& error) {
    if (error || self->stopped_ || self->armed_for_ != when) return;
    self->armed_for_ = SteadyClock::time_point::max();
    self->on_time();
  });
}

void HealthChecker::Impl::on_time() {
  const auto now = SteadyClock::now();
  while (const auto i = schedule_.pop_due(now)) {
    if (watched_[*i].running) {
      watched_[*i].connection.expire();
    } else {
      begin(*i, now);
    }
  }
  arm();
}

void HealthChecker::Impl::begin(std::size_t i, SteadyClock::time_point now) {
  Watched& watched = watched_[i];
  watched.running = true;
  watched.began = now;
  watched.connection.begin();
  schedule_.set(i, now + watched.target.health.timeout);
  asio::co_spawn(io_, run(shared_from_this(), i), [self = shared_from_this(), i](const std::exception_ptr& thrown) {
    if (!thrown || self->stopped_) return;
    // Out of memory, at worst: it says nothing of the target.
    self->watched_[i].connection.close();
    self->finish(i, {ProbeOutcome::not_made, "could not be probed"});
  });
}

ProbeAwaitable<void> HealthChecker::Impl::run(std::shared_ptr<Impl> self, std::size_t i) {
  Watched& watched = self->watched_[i];
  ProbeResult result = co_await watched.probe(watched.target, watched.connection);
  if (!self->stopped_) self->finish(i, std::move(result));
}

void HealthChecker::Impl::finish(std::size_t i, ProbeResult result) {
  Watched& watched = watched_[i];
  watched.running = false;
  schedule_.set(i, std::max(watched.began + jittered(watched.target.health.interval), SteadyClock::now()));
  arm();
  result.began = watched.began;
  if (options_.on_probe) options_.on_probe(watched.target, result);
  if (!stopped_ && judge(watched, std::move(result))) mark_changed(watched.target);
}

/// Whether balancers have to look again.
bool HealthChecker::Impl::judge(Watched& watched, ProbeResult result) {
  HealthVerdict& verdict = *watched.target.verdict;
  bool changed = false;
  if (result.answered && verdict.weight() != result.weight.value_or(-1)) {
    verdict.set_weight(result.weight.value_or(-1));
    changed = true;
  }
  const HealthState before = watched.history.state();
  const HealthState state = watched.history.record(result.outcome);
  if (state != before) {
    verdict.set(state, std::move(result.reason), options_.now());
    announce(watched, before);
    return true;
  }
  const bool agrees = state == state_for(result.outcome);
  if (agrees && verdict.reason() != result.reason) {
    verdict.set_reason(std::move(result.reason));
  } else if (!agrees) {
    spdlog::debug("health: {} at {} stays {} for now: {}", watched.target.name, watched.target.address.to_string(),
                  to_string(state), result.reason);
  }
  return changed;
}

void HealthChecker::Impl::announce(const Watched& watched, HealthState before) const {
  const HealthVerdict& verdict = *watched.target.verdict;
  const auto level = verdict.state() == HealthState::healthy ? spdlog::level::info : spdlog::level::warn;
  spdlog::log(level, "health: {} at {} is {}, was {}: {}", watched.target.name, watched.target.address.to_string(),
              to_string(verdict.state()), to_string(before), verdict.reason());
  if (options_.on_change) options_.on_change(watched.target, before);
}

void HealthChecker::Impl::mark_changed(const ProbeTarget& target) {
  if (stopped_) return;  // by a callback, a moment ago
  if (changed_.empty() && !target.affected.empty()) {
    asio::post(io_, [self = shared_from_this()] {
      // Balancers are made anew: once for all changes of a pass.
      auto& changed = self->changed_;
      std::sort(changed.begin(), changed.end());
      changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
      if (self->options_.on_affected) self->options_.on_affected(changed);
      changed.clear();
    });
  }
  changed_.insert(changed_.end(), target.affected.begin(), target.affected.end());
}

SteadyClock::duration HealthChecker::Impl::jittered(conf::Milliseconds interval) {
  std::uniform_real_distribution<double> factor(1 - jitter, 1 + jitter);
  return std::chrono::duration_cast<SteadyClock::duration>(
      std::chrono::duration<double, std::milli>(static_cast<double>(interval.count()) * factor(random_)));
}

HealthChecker::HealthChecker(asio::io_context& io, std::vector<ProbeTarget> targets, Options options)
    : io_(io), options_(options), impl_(std::make_shared<Impl>(io, std::move(targets), std::move(options))) {}

HealthChecker::~HealthChecker() { impl_->stop(); }

void HealthChecker::start() { impl_->start(); }

void HealthChecker::stop() { impl_->stop(); }
void HealthChecker::update(std::vector<ProbeTarget> targets) {
  impl_->stop();
  impl_ = std::make_shared<Impl>(io_, std::move(targets), options_);
  impl_->start();
}

}  // namespace telltale::proxy
