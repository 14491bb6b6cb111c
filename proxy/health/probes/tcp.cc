#include "proxy/health/probes/tcp.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace telltale::proxy {

namespace asio = boost::asio;

ProbeAwaitable<ProbeResult> probe_tcp(const ProbeTarget& target, ProbeConnection& connection) {
  if (const auto error = co_await connection.open(target.address)) {
    const ProbeResult result = connection.failure(error);
    connection.close();
    co_return result;
  }
  const std::string preamble = proxy_preamble(target.health.send_proxy);
  if (!preamble.empty()) {
    connection.enter(ProbeConnection::Phase::send);
    const auto [error, sent] = co_await asio::async_write(connection.socket(), asio::buffer(preamble),
                                                          asio::as_tuple(asio::use_awaitable_t<ProbeExecutor>()));
    if (error) {
      const ProbeResult result = connection.failure(error);
      connection.close();
      co_return result;
    }
  }
  connection.close();
  ProbeResult result;
  result.outcome = ProbeOutcome::healthy;
  result.reason = "accepted a connection";
  co_return result;
}

}  // namespace telltale::proxy
