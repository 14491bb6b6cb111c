#pragma once

#include "proxy/net/event_loop.h"

namespace telltale::proxy {

/// How many steps of TLS handshakes one worker does in a pass of its loop: each costs as much as tens of requests, and
/// a thousand clients that connect at once must not keep those that are connected waiting. Worker's thread only.
class HandshakeBudget {
 public:
  static constexpr unsigned steps_per_pass = 8;

  /// False: wait for another pass (EventLoop::async_yield()). `pass`: EventLoop::now().
  bool take(EventLoop::Clock::time_point pass) {
    if (pass != pass_) {
      pass_ = pass;
      left_ = steps_per_pass;
    }
    if (left_ == 0) return false;
    --left_;
    return true;
  }

 private:
  EventLoop::Clock::time_point pass_{};
  unsigned left_ = steps_per_pass;
};

}  // namespace telltale::proxy
