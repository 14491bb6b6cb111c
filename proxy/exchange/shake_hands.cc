#include "proxy/exchange/shake_hands.h"

#include <boost/asio/error.hpp>

#include <tuple>

namespace telltale::proxy {

using boost::system::error_code;

Awaitable<error_code> shake_hands(WorkerContext& worker, Stream& stream, EventLoop::Clock::time_point until) {
  for (Readiness turn;;) {
    error_code error;
    if (!worker.handshakes.take(turn)) {
      std::tie(error) = co_await turn.async_wait(as_result);
      if (error) co_return error;
      // Nothing is reckoned for who is gone, or is too late.
      if (!stream.is_open()) co_return boost::asio::error::operation_aborted;
      if (stream.descriptor().broken()) co_return boost::asio::error::connection_reset;
      if (worker.loop.now() >= until) co_return boost::asio::error::timed_out;
      stream.descriptor().set_deadline(until);  // one that passed while nobody waited on the descriptor is lost
    }
    error = stream.tls()->handshake();
    if (error != boost::asio::error::would_block) co_return error;
    if (stream.tls()->wants_write()) {
      std::tie(error) = co_await stream.async_writable(as_result);
    } else {
      std::tie(error) = co_await stream.async_readable(as_result);
    }
    if (error) co_return error;
  }
}

}  // namespace telltale::proxy
