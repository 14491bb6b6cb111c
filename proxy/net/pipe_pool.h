#pragma once

#include "proxy/net/event_loop.h"
#include "proxy/net/stream.h"
#include "proxy/net/unique_fd.h"

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace telltale::proxy {

/// A pipe through which octets go from socket to socket without being copied (splice). Of streams without TLS alone.
/// Loop's thread only.
class Pipe {
 public:
  /// nullptr: the system gives none, or none of min_capacity_bytes.
  static std::unique_ptr<Pipe> open();

  static constexpr std::size_t capacity_bytes = 1 << 20;      ///< that is asked for
  static constexpr std::size_t min_capacity_bytes = 1 << 16;  ///< below, copying costs less
  std::size_t size() const { return size_; }                  ///< octets in it
  std::size_t capacity() const { return capacity_; }          ///< octets that it takes at least, in whole pages

  /// From a stream that has nothing put back, and only while the pipe is empty. Tells what Stream::read() would.
  IoResult fill(Stream& from, std::size_t limit = capacity_bytes);
  /// Tells what Stream::write() would; an error leaves in the pipe what is in it.
  IoResult drain(Stream& to);

 private:
  Pipe(UniqueFd read_end, UniqueFd write_end, std::size_t capacity)
      : read_end_(std::move(read_end)), write_end_(std::move(write_end)), capacity_(capacity) {}

  UniqueFd read_end_, write_end_;
  std::size_t size_ = 0;
  std::size_t capacity_;
};

/// Whether what comes from one sender comes in bulk, so that moving it by a pipe costs less than copying it twice.
/// From 16 KiB at once it does (measured: the two cost the same there, a third at 256 KiB).
class BulkMeter {
 public:
  static constexpr std::size_t bulk_bytes = 16 * 1024;

  bool is_bulk() const { return bulk_; }
  /// A read that found `octets`, or as many as it could take.
  void copied(std::size_t octets) { bulk_ = octets >= bulk_bytes; }
  void piped(std::size_t octets) { burst_ += octets; }
  /// The sender has to be waited for.
  void paused() {
    bulk_ = burst_ >= bulk_bytes;
    burst_ = 0;
  }

 private:
  std::size_t burst_ = 0;
  bool bulk_ = false;
};

/// The pipes of one loop. Whoever moves octets has one only as long as there are some in it, so there are as many as
/// receivers that are behind. Loop's thread only.
class PipePool final : public boost::asio::execution_context::service {
 public:
  using key_type = PipePool;
  inline static boost::asio::execution_context::id id;

  explicit PipePool(boost::asio::execution_context& loop) : service(loop), loop_(static_cast<EventLoop&>(loop)) {}
  /// The loop's own one, made when it is first asked for.
  static PipePool& of(EventLoop& loop) { return boost::asio::use_service<PipePool>(loop); }

  static constexpr std::size_t max_pipes = 256;    ///< two descriptors each
  static constexpr std::size_t max_idle = 16;      ///< that are kept open
  static constexpr std::chrono::seconds pause{1};  ///< after the system gave none

  struct Return {
    PipePool* pool = nullptr;
    void operator()(Pipe* pipe) const { pool->put_back(std::unique_ptr<Pipe>(pipe)); }
  };
  /// Goes back when it is let go; one with octets in it is closed.
  using Lease = std::unique_ptr<Pipe, Return>;
  /// An empty one. Null: there is none to be had, so copy.
  Lease take();

  std::size_t in_use() const { return in_use_; }
  std::size_t idle() const { return idle_.size(); }

 private:
  void shutdown() override { idle_.clear(); }
  void put_back(std::unique_ptr<Pipe> pipe);

  EventLoop& loop_;
  std::vector<std::unique_ptr<Pipe>> idle_;
  std::size_t in_use_ = 0;
  EventLoop::Clock::time_point not_before_{};
};

}  // namespace telltale::proxy
