#pragma once

#include "proxy/net/deadline_wheel.h"
#include "proxy/net/unique_fd.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace telltale::proxy {

class Descriptor;

/// An Asio execution context over epoll: every descriptor registered once, edge-triggered; completions called inline;
/// no timer objects (architecture.md, "The event loop"). One thread runs it; only post() and stop() may be called
/// from others.
class EventLoop : public boost::asio::execution_context {
 public:
  using Clock = std::chrono::steady_clock;
  using error_code = boost::system::error_code;
  static constexpr std::size_t scratch_size = 64 * 1024;
  static constexpr std::size_t max_events = 256;  ///< that a pass takes
  static constexpr std::size_t tls_record_size = 16 * 1024;

  /// Satisfies Asio's executor requirements; execute() posts (blocking.never).
  class Executor {
   public:
    explicit Executor(EventLoop& loop) : loop_(&loop) {}
    EventLoop& context() const noexcept { return *loop_; }
    EventLoop& query(boost::asio::execution::context_t) const noexcept { return *loop_; }
    static constexpr boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) noexcept {
      return boost::asio::execution::blocking.never;
    }
    template <typename Function>
    void execute(Function&& function) const {
      loop_->post(std::forward<Function>(function));
    }
    friend bool operator==(const Executor& a, const Executor& b) noexcept { return a.loop_ == b.loop_; }
    friend bool operator!=(const Executor& a, const Executor& b) noexcept { return a.loop_ != b.loop_; }

   private:
    EventLoop* loop_;
  };

  /// Throws std::system_error when the system refuses epoll or eventfd.
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  Executor get_executor() { return Executor(*this); }

  /// Runs until stop(). The thread that calls it is the loop's thread from then on.
  void run();
  /// One pass: waits at most `max_wait` for events, calls their handlers, then posted work and expired deadlines. A
  /// deadline has expired only if all that had come by then has been taken: whoever was not run for a while - stopped,
  /// a paused machine - finds answers and times that are over at once, and the answers were there in time.
  /// Returns how many events it took; max_events: there may be more.
  std::size_t run_once(std::chrono::milliseconds max_wait);
  /// From any thread. The current pass is finished first.
  void stop();

  /// Stops, and ends every pending wait on a descriptor with operation_aborted, so that coroutines unwind. Loop's
  /// thread, or when nobody runs the loop.
  void abort_all();

  /// From any thread: the loop calls `function`, never from inside post(). Allocates.
  template <typename Function>
  void post(Function&& function) {
    post_task(std::make_unique<TaskOf<std::decay_t<Function>>>(std::forward<Function>(function)));
  }

  /// Gives everything else that is ready its turn. Completion: void(error_code), operation_aborted once the loop was
  /// stopped or aborted: who never blocks is told so by this alone. Loop's thread. Allocates.
  template <typename CompletionToken>
  auto async_yield(CompletionToken&& token) {
    return boost::asio::async_initiate<CompletionToken, void(boost::system::error_code)>(
        [this](auto&& handler) {
          post([this, handler = std::forward<decltype(handler)>(handler)]() mutable {
            std::move(handler)(ended() ? error_code(boost::asio::error::operation_aborted) : error_code());
          });
        },
        token);
  }

  /// Called at the end of every pass (the access log flushes there).
  void at_end_of_pass(std::function<void()> hook) { end_of_pass_ = std::move(hook); }

  /// The time at which this pass began.
  Clock::time_point now() const { return now_; }
  /// What a read lends: valid until whoever reads suspends.
  std::span<char> scratch() { return {scratch_.get(), scratch_size}; }
  /// Records of one write on their way to the socket: empty whenever a write has returned.
  std::string& tls_output() { return tls_output_; }
  /// Where the plain octets of one record are put together, 16 KiB.
  std::span<char> tls_record() {
    if (!tls_record_) tls_record_ = std::make_unique_for_overwrite<char[]>(tls_record_size);
    return {tls_record_.get(), tls_record_size};
  }
  std::size_t descriptor_count() const { return descriptor_count_; }

 private:
  friend class Descriptor;

  struct Task {
    virtual ~Task() = default;
    virtual void call() = 0;
  };
  template <typename F>
  struct TaskOf final : Task {
    template <typename G>
    explicit TaskOf(G&& g) : function(std::forward<G>(g)) {}
    void call() override { std::move(function)(); }
    F function;
  };
  using Tasks = std::vector<std::unique_ptr<Task>>;

  bool ended() const { return stopped_.load(std::memory_order_relaxed); }

  void post_task(std::unique_ptr<Task> task);
  void run_tasks();
  void signal_soon();
  void drop_tasks();
  void wake();
  int wait_milliseconds(std::chrono::milliseconds max_wait) const;
  void look_at_deadlines(Clock::time_point pass_before, int count);
  void free_closed();

  UniqueFd epoll_;
  UniqueFd eventfd_;
  Clock::time_point now_;
  DeadlineWheel wheel_;
  Clock::time_point round_began_;  // of passes that took all that they could
  std::size_t round_events_ = 0;
  std::unique_ptr<char[]> scratch_;
  std::string tls_output_;
  std::unique_ptr<char[]> tls_record_;  // null: no TLS yet
  std::size_t descriptor_count_ = 0;
  Descriptor* open_ = nullptr;
  std::vector<Descriptor*> soon_;  // waits that began with the flag up: they end when this pass's events are through
  std::vector<Descriptor*> signalled_;
  std::vector<Descriptor*> closed_;  // freed after the pass: an event of this pass may still point at them
  std::function<void()> end_of_pass_;

  Tasks local_tasks_;  // posted by the loop's own thread
  Tasks running_;
  std::mutex mutex_;  // guards remote_tasks_, posted by other threads: never taken on the data path
  Tasks remote_tasks_;
  std::atomic<bool> remote_pending_{false};
  std::atomic<bool> stopped_{false};
  std::atomic<std::size_t> thread_{0};
};

/// Coroutines of the data path.
template <typename T = void>
using Awaitable = boost::asio::awaitable<T, EventLoop::Executor>;

/// `auto [error] = co_await readiness.async_wait(as_result);` needs no coroutine frame and does not throw.
inline constexpr auto as_result = boost::asio::as_tuple(boost::asio::deferred);

}  // namespace telltale::proxy
