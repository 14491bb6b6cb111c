#pragma once

#include "proxy/net/deadline_wheel.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/readiness.h"
#include "proxy/net/unique_fd.h"

#include <boost/system/error_code.hpp>

#include <cstdint>
#include <memory>

namespace telltale::proxy {

/// A file descriptor registered with one loop, at most once, edge-triggered, for input, output and the peer's
/// half-close. Two flags tell whether a system call can succeed; whoever makes the call clears them. One that starts
/// out ready is registered only when somebody first waits: a connection that serves one request at once never is.
/// A listener is level-triggered: it need not be emptied. Loop's thread only.
class Descriptor final : private DeadlineWheel::Entry {
 public:
  struct Closer {
    void operator()(Descriptor* descriptor) const { descriptor->close(); }
  };
  /// Closing completes every pending wait with operation_aborted; the object is freed after the loop's pass.
  using Handle = std::unique_ptr<Descriptor, Closer>;

  enum class Initially { blocked, ready };  ///< ready: worth trying at once, before the first wait

  /// shared: other descriptors refer to the same open file, so that closing this one does not take it out of epoll.
  enum class Sharing { own, shared };

  /// nullptr when the kernel refuses (fd limit): errno says why; `fd` is closed.
  static Handle open(EventLoop& loop, UniqueFd fd, Initially initially) {
    return open(loop, std::move(fd), initially, Trigger::edge, Sharing::own);
  }
  /// For input alone, told in every pass until nobody waits to be accepted.
  static Handle open_listener(EventLoop& loop, UniqueFd fd, Sharing sharing) {
    return open(loop, std::move(fd), Initially::ready, Trigger::level, sharing);
  }

  int fd() const { return fd_.get(); }
  EventLoop& loop() const { return loop_; }

  /// A read (write) may succeed. Cleared by on_short_read() / on_blocked_write().
  bool readable() const { return readable_; }
  bool writable() const { return writable_; }
  /// The peer sent FIN (RDHUP) or the connection broke: a short read no longer means "drained".
  bool saw_hangup() const { return hangup_; }
  /// The connection is gone both ways (HUP or ERR), as far as epoll has told.
  bool broken() const { return broken_; }
  void clear_readable() { readable_ = false; }
  void clear_writable() { writable_ = false; }

  /// Completion: void(error_code), from the loop, never from inside the call. A flag that is up already ends the wait
  /// when this pass's events and posted work are through. One waiter for each direction.
  template <typename CompletionToken>
  auto async_readable(CompletionToken&& token) {
    if (readable_) complete_soon();
    return input().async_wait(std::forward<CompletionToken>(token));
  }
  template <typename CompletionToken>
  auto async_writable(CompletionToken&& token) {
    return turn_to_write().async_wait(std::forward<CompletionToken>(token));
  }
  /// Begin the wait of async_writable() here. Who waits although a write could succeed at once lets the sends of one
  /// pass leave one after the other: the first wakes the peer's process, the others find it awake.
  Readiness& turn_to_write() {
    if (!writable_) return output();
    complete_soon();
    return output_;
  }
  /// The waits themselves: to begin one when the flag is known to be down, to fail or to forget it.
  Readiness& input() { return watched().input_; }
  Readiness& output() { return watched().output_; }

  /// Completion: void(error_code): timed_out at the deadline, or success with wake(), whatever the descriptor has to
  /// tell meanwhile.
  template <typename CompletionToken>
  auto async_deadline(CompletionToken&& token) {
    unwatch();
    return input_.async_wait(std::forward<CompletionToken>(token));
  }

  /// Ends a wait for input, or for the deadline, as if something had come.
  void wake() { input_.signal(); }

  /// When passed, pending waits end with timed_out. One for both directions; setting it again moves it.
  void set_deadline(EventLoop::Clock::time_point when) { loop_.wheel_.set(*this, when); }
  void clear_deadline() { loop_.wheel_.clear(*this); }

  /// When this breaks (HUP, ERR) while nobody waits on it, `other`'s waits end with connection_reset: a client that is
  /// gone need not be served. nullptr unlinks. One that nobody has waited on yet is watched from the next tick on.
  void set_dependent(Descriptor* other) {
    dependent_ = other;
    if (other != nullptr && !registered_) set_deadline(loop_.now() + DeadlineWheel::tick);
  }

 private:
  friend class EventLoop;

  enum class Trigger { edge, level };

  Descriptor(EventLoop& loop, UniqueFd fd, Initially initially, Trigger trigger, Sharing sharing)
      : loop_(loop),
        fd_(std::move(fd)),
        readable_(initially == Initially::ready),
        level_(trigger == Trigger::level),
        shared_(sharing == Sharing::shared) {}
  ~Descriptor() = default;

  Descriptor& watched() {
    if (!registered_) watch();
    return *this;
  }
  static Handle open(EventLoop& loop, UniqueFd fd, Initially initially, Trigger trigger, Sharing sharing);
  bool watch();
  void unwatch();
  void close();
  void on_events(std::uint32_t events);
  void on_deadline();
  void complete_soon();
  void signal();

  EventLoop& loop_;
  UniqueFd fd_;
  bool readable_;
  bool writable_ = true;  // until a write says otherwise
  bool level_;
  bool shared_;
  bool registered_ = false;
  bool hangup_ = false;
  bool broken_ = false;
  bool queued_ = false;  // in EventLoop::soon_
  Descriptor* dependent_ = nullptr;
  Descriptor* previous_ = nullptr;  // EventLoop::open_: every open descriptor
  Descriptor* next_ = nullptr;
  Readiness input_;
  Readiness output_;
};

}  // namespace telltale::proxy
