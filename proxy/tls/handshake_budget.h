#pragma once

#include "proxy/net/event_loop.h"
#include "proxy/net/readiness.h"

#include <deque>

namespace telltale::proxy {

/// How many steps of TLS handshakes one worker does in a pass of its loop: each costs as much as several requests, and
/// a thousand clients that connect at once must not keep those that are connected waiting. Who gets no step now waits
/// in turn, and costs nothing meanwhile. Worker's thread only.
class HandshakeBudget {
 public:
  explicit HandshakeBudget(EventLoop& loop) : loop_(loop) {}
  HandshakeBudget(const HandshakeBudget&) = delete;
  HandshakeBudget& operator=(const HandshakeBudget&) = delete;

  /// True: do one step. False: `turn` is signalled when it may be done, in a later pass, or ended with
  /// operation_aborted when the loop ends; it must be waited for at once.
  bool take(Readiness& turn);

 private:
  bool take();
  void give_turns(boost::system::error_code error);
  void give_turns_soon();

  EventLoop& loop_;
  EventLoop::Clock::time_point pass_{};
  unsigned left_ = 0;
  std::deque<Readiness*> waiting_;
  bool posted_ = false;
};

}  // namespace telltale::proxy
