#pragma once

#include "proxy/upstream/circuit_breaker.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <utility>

namespace telltale::proxy {

class ConnectionLine;
class EventLoop;
class Readiness;
struct ServiceMetrics;
struct UpstreamConnection;

/// A connection's place among CircuitBreakers::max_connections, free again when this goes. Empty: there is no limit, or
/// no place. Worker's thread.
class ConnectionSlot {
 public:
  ConnectionSlot() = default;
  ConnectionSlot(ConnectionSlot&& other) noexcept : line_(std::exchange(other.line_, nullptr)) {}
  ConnectionSlot& operator=(ConnectionSlot&& other) noexcept {
    std::swap(line_, other.line_);
    return *this;
  }
  ~ConnectionSlot() { release(); }
  explicit operator bool() const { return line_ != nullptr; }
  ConnectionLine* line() const { return line_; }
  void release();

 private:
  friend class ConnectionLine;
  explicit ConnectionSlot(ConnectionLine& line) : line_(&line) {}
  ConnectionLine* line_ = nullptr;
};

/// One request's, or session's, turn to get a connection: a place in a ConnectionLine while it waits. Leaves the line
/// when it goes. Worker's thread.
class Turn {
 public:
  Turn() = default;
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() { reset(); }
  /// It waited, and now there is room: to be used at once, or given up by reset().
  bool has_come() const { return has_come_; }
  /// When its first wait began, though its turn may have come in vain since; only while it waits.
  std::chrono::steady_clock::time_point waiting_since() const { return std::chrono::steady_clock::time_point(since_); }
  /// Leaves the line; what was kept for it goes to the next.
  void reset() {
    if (since_.count() != 0) give_up();
  }

 private:
  friend class ConnectionLine;
  void give_up();
  ConnectionLine* line_ = nullptr;  // where it waits
  Turn* before_ = nullptr;
  Turn* behind_ = nullptr;
  Readiness* wake_ = nullptr;
  std::chrono::nanoseconds since_{};  // on the steady clock; 0: it did not wait yet
  Permit pending_;
  ConnectionSlot slot_;
  bool has_come_ = false;
};

/// What the workers' lines of one service see of each other. Workers are added before any of them runs, and outlive
/// what any of them does.
class ConnectionLines {
 public:
  struct Worker {
    std::function<void()> post_serve;            ///< on the worker's thread, ConnectionLine::serve() is called
    std::atomic<bool> posted{false};             ///< and was not yet
    std::atomic<std::int64_t> waiting_since{0};  ///< who waits there for longest; steady clock, nanoseconds; 0: nobody
    std::atomic<std::uint32_t> idle{0};          ///< connections

    void wake();
  };
  Worker& add() { return workers_.emplace_back(); }
  std::deque<Worker>& workers() { return workers_; }

 private:
  std::deque<Worker> workers_;
};

/// One worker's part of max_connections for one service: first come, first served. There is room for a connection while
/// there are fewer than the limit in all workers, or an idle one in this worker, which is closed for it. Who finds no
/// room waits here. It is woken, one for each connection that ends or becomes idle, by whoever sees that: in this
/// worker or, when somebody waited longer there, in another. No lock; a wake-up is a posted task, so that nobody goes
/// on inside of somebody else's end. Worker's thread.
class ConnectionLine {
 public:
  /// `limits.max_connections` is above 0. What refers to this line must be gone before it.
  ConnectionLine(EventLoop& loop, const conf::CircuitBreakers& limits, CircuitBreaker& breaker, ConnectionLines& lines,
                 ServiceMetrics& metrics);
  ~ConnectionLine();
  ConnectionLine(const ConnectionLine&) = delete;
  ConnectionLine& operator=(const ConnectionLine&) = delete;

  /// Whether somebody else is first.
  bool must_wait(const Turn& turn) const { return first_ != nullptr && !turn.has_come(); }
  /// A place for a new connection; ends the turn. False: there is none now: wait.
  bool take(ConnectionSlot& slot, Turn& turn);
  /// Gets in line: `wake` is signalled when the turn has come. A turn that had come in vain waits in front. False:
  /// there are max_pending already.
  bool wait(Turn& turn, Readiness& wake);

  // Connections with a slot of this line, as they go in and out of the pools.
  void begin_idle(UpstreamConnection& connection);
  void end_idle(UpstreamConnection& connection);
  /// Nobody waits here, but elsewhere: a connection that is free now had better end.
  bool is_wanted_elsewhere() const { return first_ == nullptr && breaker_.pending.value() > 0; }
  /// The one that was used last; null: none is idle.
  const UpstreamConnection* newest_idle() const { return newest_idle_; }

 private:
  friend class ConnectionSlot;
  friend class Turn;

  bool has_room_for_one_more() const;
  bool take_free(ConnectionSlot& slot);
  bool take_idle(ConnectionSlot& slot);
  bool is_free() const { return breaker_.connections.value() < limits_.max_connections; }
  void give_back();
  void leave(Turn& turn);
  void publish();
  bool others_waited_longer() const;
  ConnectionLines::Worker* longest_waiting();
  void wake_longest_waiting();
  void serve();
  void serve_others();
  void ask_for_room();

  EventLoop& loop_;
  const conf::CircuitBreakers limits_;
  CircuitBreaker& breaker_;
  ConnectionLines& lines_;
  ConnectionLines::Worker& self_;
  ServiceMetrics& metrics_;
  Turn* first_ = nullptr;
  Turn* last_ = nullptr;
  UpstreamConnection* newest_idle_ = nullptr;
  UpstreamConnection* oldest_idle_ = nullptr;
  std::uint32_t idle_ = 0;
};

}  // namespace telltale::proxy
