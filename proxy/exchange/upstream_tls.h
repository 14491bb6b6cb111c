#pragma once

#include "proxy/exchange/worker_context.h"
#include "proxy/tls/client_context.h"

#include <boost/system/error_code.hpp>

#include <memory>

namespace telltale::proxy {

/// Makes a new connection to an endpoint of a service with `tls` one of TLS: shakes hands, until `until` at most, which
/// is the stream's deadline. The connection stands, and nothing but a PROXY header went over it. Counts in the
/// service's metrics.
Awaitable<boost::system::error_code> secure_upstream(Stream& stream, WorkerContext& worker, const LocalService& service,
                                                     std::shared_ptr<const Endpoint> endpoint,
                                                     ClientContext::Speaks speaks, EventLoop::Clock::time_point until);

}  // namespace telltale::proxy
