#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/system/error_code.hpp>

#include <string>

#include "conf/model.h"
#include "proxy/health/probe_history.h"

namespace telltale::proxy {

/// The connection over which one target is probed, kept between probes if the probe likes. Whoever sets the deadline calls
/// expire(): that closes the socket, and the probe comes to its end. Control thread only.
class ProbeConnection {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;
  /// For the reason of a probe that came to nothing.
  enum class Phase : unsigned char { connect, send, receive };

  explicit ProbeConnection(const boost::asio::any_io_executor& executor) : socket_(executor) {}

  void begin() { expired_ = false, phase_ = Phase::connect; }
  /// A fresh connection. Fails with operation_aborted once expired.
  boost::asio::awaitable<boost::system::error_code> open(const conf::Address& address);
  /// Whether the connection of an earlier probe is there and silent: closed by its peer, or with octets that nobody asked
  /// for, it is of no use, and is closed here.
  bool reusable();
  void close();

  void expire() { expired_ = true, close(); }
  bool expired() const { return expired_; }
  void enter(Phase phase) { phase_ = phase; }
  Socket& socket() { return socket_; }

  /// The result of a probe that ended with `error` in the present phase.
  ProbeResult failure(const boost::system::error_code& error) const;

 private:
  Socket socket_;
  bool expired_ = false;
  Phase phase_ = Phase::connect;
};

/// What goes before the first octet of a probe: nothing, or a PROXY header that says that we speak for ourselves, v2
/// `LOCAL` or v1 `UNKNOWN` (health.md: never at a kube-proxy port).
std::string proxy_preamble(conf::ProxyOnProbe send_proxy);

}  // namespace telltale::proxy
