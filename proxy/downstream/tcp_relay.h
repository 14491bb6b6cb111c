#pragma once

#include "proxy/exchange/failure.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/pipe_pool.h"
#include "proxy/net/readiness.h"
#include "proxy/net/stream.h"

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace telltale::proxy {

/// Octets to and fro between a client and a backend, each way until its sender ends, or both until one fails or neither
/// sends anything for `idle`. What the receiver does not take yet is kept, and nothing more is read for it: that is the
/// backpressure. Where neither side speaks TLS, octets that come in bulk are spliced, not copied. Loop's thread only.
class TcpRelay {
 public:
  /// The streams stay as they are left: half-closed, or open when something failed.
  TcpRelay(EventLoop& loop, Stream& client, Stream& backend, std::chrono::milliseconds idle);
  TcpRelay(const TcpRelay&) = delete;
  TcpRelay& operator=(const TcpRelay&) = delete;

  Awaitable<> run();

  /// The first one; none: both ended.
  const Failure& failure() const { return failure_; }
  /// Whoever was the first to close or to fail; proxy: nothing moved for too long, or we are ending.
  Side ended_by() const { return ended_by_; }
  std::uint64_t octets_from_client() const { return up_.octets; }
  std::uint64_t octets_from_backend() const { return down_.octets; }

 private:
  /// One direction.
  struct Way {
    Side from_side, to_side;
    Stream& from;
    Stream& to;
    std::uint64_t octets = 0;  // that `to` took
    BulkMeter bulk;
    PipePool::Lease pipe = nullptr;  // null: no octets are in one
  };
  enum class Next : std::uint8_t { piece, turn, input, output, end };

  Awaitable<> move(Way& way);
  Awaitable<> move_back();
  Next move_piece(Way& way, std::size_t& left_of_turn);
  Next copy(Way& way);
  Next splice(Way& way);
  Next no_input(Way& way, boost::system::error_code error);
  Next moved(Way& way, const IoResult& put, std::size_t rest);
  void touch();
  void wait_failed(Side side, Phase phase, boost::system::error_code error);
  void fail(Side side, Phase phase, boost::system::error_code error, Reason reason = Reason::none);

  EventLoop& loop_;
  std::chrono::milliseconds idle_;
  PipePool* pipes_;  // null: a side speaks TLS, or cannot be spliced
  Way down_, up_;
  EventLoop::Clock::time_point touched_at_{};
  Failure failure_;
  Side ended_by_ = Side::none;
  bool moves_back_ = false;  // move_back() runs
  Readiness moved_back_;
};

}  // namespace telltale::proxy
