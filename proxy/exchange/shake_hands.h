#pragma once

#include "proxy/exchange/worker_context.h"

#include <boost/system/error_code.hpp>

namespace telltale::proxy {

/// Over a stream that Stream::start_tls() was called of, in turn with what else the worker's handshakes cost. timed_out
/// at `until`, which is the stream's deadline, too.
Awaitable<boost::system::error_code> shake_hands(WorkerContext& worker, Stream& stream,
                                                 EventLoop::Clock::time_point until);

}  // namespace telltale::proxy
