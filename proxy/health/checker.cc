#include "proxy/health/checker.h"

#include "proxy/health/pace.h"
#include "proxy/health/probe.h"
#include "proxy/health/schedule.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <random>
#include <unordered_map>
#include <utility>

namespace telltale::proxy {
namespace {

namespace asio = boost::asio;
using SteadyClock = std::chrono::steady_clock;

/// Probes begin, and answers are looked for, at multiples of this: ten thousand targets would otherwise wake this
/// thread for each alone, which costs more than the probe.
constexpr std::chrono::milliseconds tick{20};
/// Connections that are being made go through several steps, so after one has begun the looks come closer for a while.
/// A target that does not answer at all is no reason to go on like that until its timeout.
constexpr std::chrono::milliseconds quick_tick{5}, quick_time{60};
/// A look that comes later than this, because this process was stopped or had other things to do, finds so many probes
/// due that they are spread anew.
constexpr std::chrono::milliseconds stall{100};

SteadyClock::time_point round_up(SteadyClock::time_point when, std::chrono::milliseconds step) {
  const auto steps = (when.time_since_epoch() + step - SteadyClock::duration(1)) / step;
  return SteadyClock::time_point(steps * step);
}

ProbeHistory::Thresholds thresholds_of(const conf::Health& health) {
  return {health.rise, health.fall, health.fall_draining};
}

bool asks_alike(const ProbeTarget& a, const ProbeTarget& b) {
  return a.address == b.address && a.health->kind == b.health->kind && a.health->send_proxy == b.health->send_proxy;
}

}  // namespace

class HealthChecker::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, std::vector<ProbeTarget> targets, Options options)
      : io_(io), timer_(io), random_(options.seed), options_(std::move(options)) {
    if (!options_.now) options_.now = [] { return std::chrono::system_clock::now(); };
    for (ProbeTarget& target : targets) add(std::move(target));
  }

  void start();
  void stop();
  void update(std::vector<ProbeTarget> targets);
  void tell_changes();

 private:
  /// A target while it is one: a probe under way holds it longer.
  struct Watched {
    Watched(ProbeTarget t, std::size_t s)
        : target(std::move(t)), history(thresholds_of(*target.health), target.verdict->state()), slot(s) {}
    ProbeTarget target;
    ProbeConnection connection;
    ProbeHistory history;
    SteadyClock::time_point began{};
    SteadyClock::duration lost_before{};  // lost_ then
    std::size_t slot;
    bool running = false;
    bool gone = false;
    bool told = false;  // the verdict says what the last probe came to, and nothing else came since
  };

  std::size_t add(ProbeTarget target);
  void remove(std::size_t slot);
  void spread(const std::vector<std::size_t>& slots);

  void arm();
  void on_time(SteadyClock::time_point planned);
  void take_answers();
  void come_due(std::size_t slot, bool stalled, std::vector<std::size_t>& put_off);
  void resume(const std::vector<std::size_t>& put_off);
  void begin(std::shared_ptr<Watched> watched);
  void spawn(std::shared_ptr<Watched> watched);
  static Awaitable<void> run(Impl& self, std::shared_ptr<Watched> watched);
  void await_answer(std::shared_ptr<Watched> watched);
  void on_answer(std::shared_ptr<Watched> watched, const boost::system::error_code& error);
  void end(Watched& watched);
  void finish(Watched& watched);
  void schedule_next(const Watched& watched, HealthState before);
  bool tell(Watched& watched, HealthState before);
  void announce(const Watched& watched, HealthState before) const;
  void mark_affected(const ProbeTarget& target);

  asio::io_context& io_;
  asio::steady_timer timer_;
  SteadyClock::time_point armed_for_ = SteadyClock::time_point::max();
  SteadyClock::time_point looked_{};  // when the last look for answers began
  SteadyClock::duration lost_{};      // time, of all, in which no look came although it was due: no target's fault
  Schedule schedule_;                 // by slot
  std::minstd_rand random_;
  Options options_;
  std::vector<std::shared_ptr<Watched>> watched_;  // by slot; null: free
  std::vector<std::size_t> free_;
  std::vector<std::size_t> affected_;  // services; told once the handlers that are ready now have run
  std::size_t under_way_ = 0;          // probes
  SteadyClock::time_point quick_until_{};
  bool started_ = false, stopped_ = false;
  ProbeTools tools_{.loop = loop_};
  // Of the sockets; it is given a pass at each tick and never waits. Goes first: what still waits in it uses the rest.
  EventLoop loop_;
};

std::size_t HealthChecker::Impl::add(ProbeTarget target) {
  std::size_t slot = watched_.size();
  if (free_.empty()) {
    watched_.emplace_back();
    schedule_.grow(watched_.size());
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  watched_[slot] = std::make_shared<Watched>(std::move(target), slot);
  return slot;
}

void HealthChecker::Impl::remove(std::size_t slot) {
  const std::shared_ptr<Watched> watched = std::move(watched_[slot]);
  watched->gone = true;
  schedule_.clear(slot);
  free_.push_back(slot);
  watched->connection.expire();
}

void HealthChecker::Impl::spread(const std::vector<std::size_t>& slots) {
  const auto now = SteadyClock::now();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const conf::Milliseconds interval = watched_[slots[i]]->target.health->interval;
    schedule_.set(slots[i], now + spread_delay(i, slots.size(), interval));
  }
  arm();
}

void HealthChecker::Impl::start() {
  started_ = true;
  std::vector<std::size_t> slots;
  for (const auto& watched : watched_) {
    if (watched) slots.push_back(watched->slot);
  }
  spread(slots);
}

void HealthChecker::Impl::stop() {
  if (std::exchange(stopped_, true)) return;
  timer_.cancel();
  for (const auto& watched : watched_) {
    if (watched) watched->connection.expire();
  }
  affected_.clear();
}

void HealthChecker::Impl::update(std::vector<ProbeTarget> targets) {
  if (stopped_) return;
  std::unordered_map<const HealthVerdict*, std::size_t> left;
  for (const auto& watched : watched_) {
    if (watched) left.emplace(watched->target.verdict.get(), watched->slot);
  }
  std::vector<ProbeTarget> fresh;
  for (ProbeTarget& target : targets) {
    const auto known = left.find(target.verdict.get());
    if (known == left.end() || !asks_alike(watched_[known->second]->target, target)) {
      fresh.push_back(std::move(target));
      continue;
    }
    Watched& watched = *watched_[known->second];
    watched.history.set_thresholds(thresholds_of(*target.health));
    watched.target = std::move(target);
    left.erase(known);
  }
  for (const auto& [verdict, slot] : left) remove(slot);
  std::vector<std::size_t> slots;
  slots.reserve(fresh.size());
  for (ProbeTarget& target : fresh) slots.push_back(add(std::move(target)));
  if (started_) spread(slots);
}

void HealthChecker::Impl::arm() {
  if (stopped_) return;
  auto when = schedule_.next();
  if (when != Schedule::Time::max()) when = round_up(when, tick);
  if (under_way_ > 0) {
    when = std::min(when, round_up(looked_ + SteadyClock::duration(1), looked_ < quick_until_ ? quick_tick : tick));
  }
  if (when >= armed_for_) return;  // it may be that nothing is to come at all
  armed_for_ = when;
  timer_.expires_at(when);
  timer_.async_wait([self = shared_from_this(), when](const boost::system::error_code& error) {
    if (error || self->stopped_ || self->armed_for_ != when) return;
    self->armed_for_ = SteadyClock::time_point::max();
    self->on_time(when);
  });
}

void HealthChecker::Impl::on_time(SteadyClock::time_point planned) {
  // Before the look: what is over by now is over although all that had come by now was taken.
  looked_ = SteadyClock::now();
  const auto late = looked_ - planned;
  if (late > tick) lost_ += late;
  take_answers();
  std::vector<std::size_t> put_off;
  while (!stopped_) {
    const auto slot = schedule_.pop_due(looked_);
    if (!slot) break;
    come_due(*slot, late > stall, put_off);
  }
  if (stopped_) return;
  resume(put_off);
  loop_.run_once(std::chrono::milliseconds(0));  // lets go what began
  arm();
}

/// Answers, and connections that were closed. What needs more than a pass - what was read is judged in the next one,
/// and each takes only so many events - has it; what somebody sends without end has no more.
void HealthChecker::Impl::take_answers() {
  for (auto passes = loop_.descriptor_count() / EventLoop::max_events + 2; passes > 0 && !stopped_; --passes) {
    if (loop_.run_once(std::chrono::milliseconds(0)) == 0) break;
  }
}

void HealthChecker::Impl::come_due(std::size_t slot, bool stalled, std::vector<std::size_t>& put_off) {
  const std::shared_ptr<Watched> watched = watched_[slot];  // a callback may take it away
  if (watched->running) {
    const auto deadline = watched->began + watched->target.health->timeout + (lost_ - watched->lost_before);
    if (deadline > looked_) return schedule_.set(slot, deadline);
    watched->connection.expire();
  } else if (stalled) {
    put_off.push_back(slot);
  } else {
    begin(watched);
  }
}

/// After a stall: spread as at the start, but that what is to come before another look would count as late begins now.
/// So a thread that is late each time gets on all the same, and never sends all at once.
void HealthChecker::Impl::resume(const std::vector<std::size_t>& put_off) {
  for (std::size_t i = 0; i < put_off.size(); ++i) {
    const std::shared_ptr<Watched> watched = watched_[put_off[i]];
    if (!watched || watched->running) continue;  // a callback took it away
    const auto delay = spread_delay(i, put_off.size(), watched->target.health->interval);
    if (delay < stall) {
      begin(watched);
    } else {
      schedule_.set(put_off[i], looked_ + delay);
    }
  }
}

void HealthChecker::Impl::begin(std::shared_ptr<Watched> watched) {
  watched->running = true;
  watched->began = looked_;
  watched->lost_before = lost_;
  watched->connection.begin();
  ++under_way_;
  schedule_.set(watched->slot, looked_ + watched->target.health->timeout);
  const Probe& probe = probe_for(watched->target.health->kind);
  if (probe.ask_again != nullptr && probe.ask_again(watched->target, watched->connection, tools_)) {
    await_answer(std::move(watched));
  } else {
    spawn(std::move(watched));
  }
}

/// It runs with the tasks of the loop's next pass, or of this one.
void HealthChecker::Impl::spawn(std::shared_ptr<Watched> watched) {
  watched->told = false;
  quick_until_ = SteadyClock::now() + quick_time;
  asio::co_spawn(loop_.get_executor(), run(*this, std::move(watched)), asio::detached);
}

Awaitable<void> HealthChecker::Impl::run(Impl& self, std::shared_ptr<Watched> watched) {
  if (!self.stopped_ && !watched->gone) {
    try {
      co_await probe_for(watched->target.health->kind).ask(watched->target, watched->connection, self.tools_);
    } catch (const std::exception&) {
      // Out of memory, at worst: it says nothing of the target.
      watched->connection.close();
      watched->connection.conclude({ProbeOutcome::not_made, "could not be probed"});
    }
  }
  self.end(*watched);
}

void HealthChecker::Impl::await_answer(std::shared_ptr<Watched> watched) {
  ProbeConnection& connection = watched->connection;
  connection.async_answer([this, watched = std::move(watched)](const boost::system::error_code& error) mutable {
    on_answer(std::move(watched), error);
  });
}

void HealthChecker::Impl::on_answer(std::shared_ptr<Watched> watched, const boost::system::error_code& error) {
  ProbeConnection& connection = watched->connection;
  if (error) {
    watched->told = false;
    connection.conclude_failure(error);
    return end(*watched);
  }
  const ReadResult got = connection.receive_now();
  if (got.error == asio::error::would_block) return await_answer(std::move(watched));
  if (!got.error && connection.is_answered_as_before(got.octets)) return end(*watched);
  connection.put_back(got.octets);
  spawn(std::move(watched));
}

void HealthChecker::Impl::end(Watched& watched) {
  watched.running = false;
  --under_way_;
  if (!stopped_ && !watched.gone) finish(watched);
}

void HealthChecker::Impl::finish(Watched& watched) {
  const HealthState before = watched.history.state();
  watched.history.record(watched.connection.result().outcome);
  schedule_next(watched, before);
  const bool succeeded = watched.connection.result().outcome == ProbeOutcome::healthy;
  if (options_.on_probe) options_.on_probe(watched.target, watched.connection.result());
  if (options_.on_success && succeeded && !stopped_ && !watched.gone)
    options_.on_success(watched.target, watched.began);
  // A callback may have stopped everything, or taken this target away.
  if (stopped_ || watched.gone || watched.told) return;
  if (tell(watched, before) && !stopped_ && !watched.gone) mark_affected(watched.target);
}

/// Soon again while an outcome differs from the state, and once after that changed. A probe that was not made is no
/// reason to hurry: what we lack would be lacking sooner.
void HealthChecker::Impl::schedule_next(const Watched& watched, HealthState before) {
  const conf::Health& health = *watched.target.health;
  const ProbeOutcome outcome = watched.connection.result().outcome;
  const HealthState state = watched.history.state();
  const bool soon = outcome != ProbeOutcome::not_made && (state != before || state != state_for(outcome));
  const auto interval = soon ? std::min(health.interval, health.fast_interval) : health.interval;
  schedule_.set(watched.slot, std::max(watched.began + jittered(interval, random_), looked_));
}

/// Writes the verdict. Whether balancers have to look again.
bool HealthChecker::Impl::tell(Watched& watched, HealthState before) {
  const ProbeResult& result = watched.connection.result();
  HealthVerdict& verdict = *watched.target.verdict;
  const HealthState state = watched.history.state();
  const bool agrees = state == state_for(result.outcome);
  watched.told = agrees;
  bool changed = false;
  if (result.answered && verdict.weight() != result.weight.value_or(-1)) {
    verdict.set_weight(result.weight.value_or(-1));
    changed = true;
  }
  if (state != before) {
    verdict.set(state, result.reason, options_.now());
    announce(watched, before);
    return true;
  }
  if (agrees && verdict.reason() != result.reason) {
    verdict.set_reason(result.reason);
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

void HealthChecker::Impl::mark_affected(const ProbeTarget& target) {
  if (affected_.empty() && !target.affected.empty()) {
    asio::post(io_, [self = shared_from_this()] { self->tell_changes(); });
  }
  affected_.insert(affected_.end(), target.affected.begin(), target.affected.end());
}

/// Balancers are made anew: once for all changes of a pass.
void HealthChecker::Impl::tell_changes() {
  auto services = std::exchange(affected_, {});
  std::sort(services.begin(), services.end());
  services.erase(std::unique(services.begin(), services.end()), services.end());
  if (!services.empty() && options_.on_affected) options_.on_affected(services);
}

HealthChecker::HealthChecker(asio::io_context& io, std::vector<ProbeTarget> targets, Options options)
    : impl_(std::make_shared<Impl>(io, std::move(targets), std::move(options))) {}

HealthChecker::~HealthChecker() { impl_->stop(); }

void HealthChecker::start() { impl_->start(); }

void HealthChecker::stop() { impl_->stop(); }

void HealthChecker::tell_changes() { impl_->tell_changes(); }

void HealthChecker::update(std::vector<ProbeTarget> targets) { impl_->update(std::move(targets)); }

}  // namespace telltale::proxy
