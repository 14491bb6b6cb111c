#pragma once

#include "protocol/http/header_block.h"
#include "protocol/http1/head.h"
#include "proxy/net/pipe_pool.h"
#include "proxy/net/readiness.h"

#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace telltale::proxy {

/// done: it happened. blocked: wait for the side's readiness, then call again. failed: error() says why.
enum class Progress : std::uint8_t { done, blocked, failed };

/// Octets of a body on their way, lent until the next suspension; or in a pipe, which goes with them.
struct BodyPiece {
  std::string_view octets;
  PipePool::Lease pipe = nullptr;  ///< null, or all of them are in it
  bool chunk_coded = false;        ///< validated chunks, to be forwarded as they are by who sends chunks
  bool last = false;               ///< the body ends with these (the trailers come after)
  std::size_t size() const { return pipe ? pipe->size() : octets.size(); }
};

/// Whether the receiver takes pieces in pipes.
enum class Pipes : bool { no, taken };

/// Where a message's body comes from: an HTTP/1 connection now, an HTTP/2 stream later.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// Lends the next octets. Never called again after `last` or a failure.
  virtual Progress read_body(BodyPiece& piece, Pipes pipes) = 0;
  virtual const http::HeaderBlock& trailers() const = 0;
  /// Wait here after read_body() was blocked.
  virtual Readiness& input() = 0;
  virtual boost::system::error_code read_error() const = 0;
};

/// Where a message goes. What is staged or written is taken whole: what the kernel did not take is kept by the sink,
/// and `blocked` asks the caller to wait and flush() before it brings more: that is the backpressure.
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  /// Sends what is staged with this piece, in one system call. `trailers` go out after the last piece of a chunked
  /// body.
  virtual Progress write_body(BodyPiece&& piece, const http::HeaderBlock& trailers) = 0;
  /// For the message under way.
  virtual Pipes takes_pipes() const = 0;
  virtual Progress flush() = 0;
  /// Wait here after write_body() or flush() was blocked, or before them for the turn to write.
  virtual Readiness& output() = 0;
  virtual boost::system::error_code write_error() const = 0;
};

/// One side of an exchange: both directions, and one deadline for the wait under way.
class MessageSide : public BodySource, public MessageSink {
 public:
  /// A wait that lasts longer ends with timed_out.
  virtual void expires_after(std::chrono::milliseconds duration) = 0;
  virtual void expires_never() = 0;
  /// From here on both directions are raw octets (101, RFC 9110 7.8); the end of input is `last`, and a `last` piece
  /// written is a half-close.
  virtual void become_tunnel() = 0;
};

}  // namespace telltale::proxy
