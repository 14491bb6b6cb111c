#pragma once

#include "conf/model.h"
#include "proxy/health/probe_history.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <string>

namespace telltale::proxy {

/// Probes run on the control thread's io_context and nowhere else: its own executor type spares the erased one's costs.
using ProbeExecutor = boost::asio::io_context::executor_type;
template <class T>
using ProbeAwaitable = boost::asio::awaitable<T, ProbeExecutor>;

/// The connection over which one target is probed, kept between probes if the probe likes. Whoever sets the deadline
/// calls expire(): that closes the socket, and the probe comes to its end. Control thread only.
class ProbeConnection {
 public:
  using Socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, ProbeExecutor>;
  /// For the reason of a probe that came to nothing.
  enum class Phase : unsigned char { connect, send, receive };

  explicit ProbeConnection(const ProbeExecutor& executor) : socket_(executor) {}

  void begin() { expired_ = false, phase_ = Phase::connect; }
  /// A fresh connection. Fails with operation_aborted once expired.
  ProbeAwaitable<boost::system::error_code> open(const conf::Address& address);
  /// Whether the connection of an earlier probe is there and silent: closed by its peer, or with octets that nobody
  /// asked for, it is of no use, and is closed here.
  bool reusable();
  void close();

  void expire() { expired_ = true, close(); }
  bool expired() const { return expired_; }
  void enter(Phase phase) { phase_ = phase; }
  Socket& socket() { return socket_; }

  /// The judgement of the last answer and a digest of that answer: most answers are the same as the one before, and
  /// need not be read for their meaning again.
  struct Remembered {
    std::size_t digest = 0;
    ProbeResult result;
  };
  Remembered& remembered() { return remembered_; }

  /// The result of a probe that ended with `error` in the present phase.
  ProbeResult failure(const boost::system::error_code& error) const;

 private:
  Socket socket_;
  bool expired_ = false;
  Phase phase_ = Phase::connect;
  Remembered remembered_;
};

/// What goes before the first octet of a probe: nothing, or a PROXY header that says that we speak for ourselves, v2
/// `LOCAL` or v1 `UNKNOWN` (health.md: never at a kube-proxy port).
std::string proxy_preamble(conf::ProxyOnProbe send_proxy);

}  // namespace telltale::proxy
