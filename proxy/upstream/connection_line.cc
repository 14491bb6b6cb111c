#include "proxy/upstream/connection_line.h"

#include "proxy/net/event_loop.h"
#include "proxy/net/readiness.h"
#include "proxy/observe/metrics.h"
#include "proxy/upstream/connection_pool.h"

#include <algorithm>

namespace telltale::proxy {
namespace {

/// So much longer must somebody have waited elsewhere to get what becomes free here: a connection that goes from worker
/// to worker is opened anew each time.
constexpr std::chrono::milliseconds patience{100};

std::int64_t patience_of(const conf::CircuitBreakers& limits) {
  return std::chrono::nanoseconds(std::min(patience, limits.pending_timeout / 4)).count();
}

}  // namespace

void ConnectionSlot::release() {
  if (line_ != nullptr) std::exchange(line_, nullptr)->give_back();
}

void Turn::give_up() {
  if (line_ != nullptr) line_->leave(*this);
  has_come_ = false;
  since_ = {};
  slot_.release();
}

void ConnectionLines::Worker::wake() {
  if (post_serve && !posted.exchange(true, std::memory_order_acq_rel)) post_serve();
}

ConnectionLine::ConnectionLine(EventLoop& loop, const conf::CircuitBreakers& limits, CircuitBreaker& breaker,
                               ConnectionLines& lines, ServiceMetrics& metrics)
    : loop_(loop), limits_(limits), breaker_(breaker), lines_(lines), self_(lines.add()), metrics_(metrics) {
  self_.post_serve = [this] { loop_.post([this] { serve(); }); };
}

ConnectionLine::~ConnectionLine() { self_.post_serve = nullptr; }

bool ConnectionLine::take(ConnectionSlot& slot, Turn& turn) {
  if (turn.has_come_) {
    slot = std::move(turn.slot_);
  } else if (first_ != nullptr || !has_room_for_one_more()) {
    return false;
  }
  if (!slot && !take_free(slot) && !take_idle(slot)) return false;
  turn.reset();
  return true;
}

/// Wherever others wait, what is free now is on its way to them.
bool ConnectionLine::has_room_for_one_more() const {
  const std::uint32_t waiting = breaker_.pending.value();
  return waiting == 0 || breaker_.connections.value() + waiting < limits_.max_connections;
}

bool ConnectionLine::take_free(ConnectionSlot& slot) {
  if (!breaker_.connections.take(limits_.max_connections)) return false;
  slot = ConnectionSlot(*this);
  return true;
}

bool ConnectionLine::take_idle(ConnectionSlot& slot) {
  if (oldest_idle_ == nullptr) return false;
  slot = std::move(ConnectionPool::take_out(*oldest_idle_)->slot);
  return true;
}

/// A connection of this worker ended.
void ConnectionLine::give_back() {
  breaker_.connections.give_back();
  wake_longest_waiting();
}

bool ConnectionLine::wait(Turn& turn, Readiness& wake) {
  if (!turn.pending_.take(breaker_.pending, limits_.max_pending)) return false;
  const bool waited = turn.since_.count() != 0;
  if (!waited) turn.since_ = loop_.now().time_since_epoch();
  turn.line_ = this;
  turn.wake_ = &wake;
  turn.has_come_ = false;
  turn.before_ = waited ? nullptr : last_;
  turn.behind_ = waited ? first_ : nullptr;
  (turn.before_ != nullptr ? turn.before_->behind_ : first_) = &turn;
  (turn.behind_ != nullptr ? turn.behind_->before_ : last_) = &turn;
  metrics_.requests_pending.add();
  publish();
  // Whoever made room before this saw nobody waiting, so it is looked for again; whoever does after it sees us.
  breaker_.pending.value_in_order();
  if (is_free() || oldest_idle_ != nullptr) {
    self_.wake();
  } else {
    ask_for_room();
  }
  return true;
}

void ConnectionLine::leave(Turn& turn) {
  (turn.before_ != nullptr ? turn.before_->behind_ : first_) = turn.behind_;
  (turn.behind_ != nullptr ? turn.behind_->before_ : last_) = turn.before_;
  turn.before_ = turn.behind_ = nullptr;
  turn.line_ = nullptr;
  turn.pending_.release();
  metrics_.requests_pending.sub();
  publish();
}

void ConnectionLine::publish() {
  self_.waiting_since.store(first_ != nullptr ? first_->since_.count() : 0, std::memory_order_relaxed);
}

void ConnectionLine::begin_idle(UpstreamConnection& connection) {
  connection.idle_older_ = newest_idle_;
  connection.idle_newer_ = nullptr;
  (newest_idle_ != nullptr ? newest_idle_->idle_newer_ : oldest_idle_) = &connection;
  newest_idle_ = &connection;
  self_.idle.store(++idle_, std::memory_order_relaxed);
  if (breaker_.pending.value_in_order() > 0) self_.wake();
}

void ConnectionLine::end_idle(UpstreamConnection& connection) {
  (connection.idle_newer_ != nullptr ? connection.idle_newer_->idle_older_ : newest_idle_) = connection.idle_older_;
  (connection.idle_older_ != nullptr ? connection.idle_older_->idle_newer_ : oldest_idle_) = connection.idle_newer_;
  self_.idle.store(--idle_, std::memory_order_relaxed);
}

bool ConnectionLine::others_waited_longer() const {
  const std::int64_t limit = first_->since_.count() - patience_of(limits_);
  return std::ranges::any_of(lines_.workers(), [&](const auto& worker) {
    const std::int64_t since = worker.waiting_since.load(std::memory_order_relaxed);
    return since != 0 && since < limit;  // ours is not
  });
}

/// Of all workers; this one if it is not far behind. null: nobody waits.
ConnectionLines::Worker* ConnectionLine::longest_waiting() {
  if (first_ != nullptr && !others_waited_longer()) return &self_;
  ConnectionLines::Worker* found = nullptr;
  std::int64_t longest = 0;
  for (auto& worker : lines_.workers()) {
    const std::int64_t since = worker.waiting_since.load(std::memory_order_relaxed);
    if (since == 0 || (found != nullptr && since >= longest)) continue;
    found = &worker;
    longest = since;
  }
  return found;
}

void ConnectionLine::wake_longest_waiting() {
  if (breaker_.pending.value_in_order() == 0) return;
  if (auto* const worker = longest_waiting()) worker->wake();
}

/// As many as there is room for have their turn. Who waits far longer in another worker is first, for one place in each
/// call; and gets all that nobody here needs.
void ConnectionLine::serve() {
  self_.posted.exchange(false, std::memory_order_acq_rel);
  bool deferred = false;
  while (first_ != nullptr) {
    if (!deferred && others_waited_longer()) {
      deferred = true;
      if (ConnectionSlot closed; is_free() || take_idle(closed)) {
        closed.release();
        wake_longest_waiting();
      }
      continue;
    }
    // After that what is free is on its way to the other worker, which passes on what it does not need.
    ConnectionSlot slot;
    if ((deferred || !take_free(slot)) && oldest_idle_ == nullptr) return ask_for_room();
    Turn& turn = *first_;
    leave(turn);
    turn.slot_ = std::move(slot);
    turn.has_come_ = true;
    turn.wake_->signal();  // it goes on here, until it waits for something else
  }
  serve_others();
}

/// Nobody waits here: what there is room for goes to the other workers.
void ConnectionLine::serve_others() {
  if (breaker_.pending.value_in_order() == 0) return;
  ConnectionSlot closed;
  const auto missing = [this] {
    return breaker_.connections.value() + breaker_.pending.value() > limits_.max_connections;
  };
  while (missing() && take_idle(closed)) closed.release();
  if (is_free()) wake_longest_waiting();
}

/// Another worker may have an idle connection.
void ConnectionLine::ask_for_room() {
  for (auto& worker : lines_.workers()) {
    if (&worker == &self_ || worker.idle.load(std::memory_order_relaxed) == 0) continue;
    worker.wake();
    return;
  }
}

}  // namespace telltale::proxy
