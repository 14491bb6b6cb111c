#pragma once

#include "proxy/observe/local_acceptor.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <set>

namespace telltale::proxy {

using LocalStream = boost::beast::basic_stream<boost::asio::generic::stream_protocol>;

/// The accept loop of the small Beast servers: runs `session` on each connection and closes it after. Everything on the
/// io_context's one thread: also the calls of the public functions, once it runs. For implementation files only: Beast
/// is slow to compile.
class LocalServer : public std::enable_shared_from_this<LocalServer> {
 public:
  /// The stream lives until the coroutine ends. What it throws is logged and ends that connection alone.
  using Session = std::function<boost::asio::awaitable<void>(LocalStream&)>;

  /// Binds at once; throws std::system_error. Connections beyond `max_sessions` are closed at once.
  static std::shared_ptr<LocalServer> start(boost::asio::io_context& io, const conf::Address& address,
                                            unsigned unix_mode, std::size_t max_sessions, Session session);
  LocalServer(boost::asio::io_context& io, const conf::Address& address, unsigned unix_mode, std::size_t max_sessions,
              Session session);

  const conf::Address& address() const { return acceptor_.address(); }
  /// Closes the listening socket and every connection; their coroutines end when the io_context next runs. `session` is
  /// not called again. Idempotent.
  void stop();
  bool stopped() const { return stopped_; }

 private:
  static boost::asio::awaitable<void> accept_loop(std::shared_ptr<LocalServer> self);
  static boost::asio::awaitable<void> run_session(std::shared_ptr<LocalServer> self, StreamSocket socket);
  void spawn(StreamSocket socket);

  boost::asio::io_context& io_;
  LocalAcceptor acceptor_;
  boost::asio::steady_timer backoff_;
  std::size_t max_sessions_;
  Session session_;
  std::set<LocalStream*> sessions_;
  bool stopped_ = false;
};

/// Ends a connection on which the peer may still be sending: without reading that, the kernel would answer with a reset
/// that can overtake our last response (RFC 9112 9.6). Bounded in time and octets.
boost::asio::awaitable<void> linger(LocalStream& stream);

}  // namespace telltale::proxy
