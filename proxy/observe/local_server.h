#pragma once

#include "protocol/proxy_protocol/parser.h"
#include "proxy/observe/local_acceptor.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>

namespace telltale::proxy {

using LocalStream = boost::beast::basic_stream<boost::asio::generic::stream_protocol>;

/// The accept loop of the small Beast servers: runs `session` on each connection and closes it after. Everything on the
/// io_context's one thread: also the calls of the public functions, once it runs. For implementation files only: Beast
/// is slow to compile.
class LocalServer : public std::enable_shared_from_this<LocalServer> {
 public:
  /// The stream lives until the coroutine ends. What it throws is logged and ends that connection alone.
  using Session = std::function<boost::asio::awaitable<void>(LocalStream&)>;

  /// What becomes of a connection beyond the limit: it is closed at once, or takes the place of the oldest.
  enum class WhenFull : bool { refuse, close_oldest };

  /// Binds at once; throws std::system_error.
  static std::shared_ptr<LocalServer> start(boost::asio::io_context& io, const conf::Address& address,
                                            unsigned unix_mode, std::size_t max_sessions, Session session,
                                            WhenFull when_full = WhenFull::refuse);
  LocalServer(boost::asio::io_context& io, const conf::Address& address, unsigned unix_mode, std::size_t max_sessions,
              Session session, WhenFull when_full);

  const conf::Address& address() const { return acceptor_.address(); }
  /// Closes the listening socket and every connection; their coroutines end when the io_context next runs. `session` is
  /// not called again. Idempotent.
  void stop();
  bool stopped() const { return stopped_; }

 private:
  static boost::asio::awaitable<void> accept_loop(std::shared_ptr<LocalServer> self);
  static boost::asio::awaitable<void> run_session(std::shared_ptr<LocalServer> self, StreamSocket socket);
  void admit(StreamSocket socket);

  boost::asio::io_context& io_;
  LocalAcceptor acceptor_;
  boost::asio::steady_timer backoff_;
  std::size_t max_sessions_;
  Session session_;
  WhenFull when_full_;
  std::list<LocalStream*> sessions_;  // the oldest first
  bool stopped_ = false;
};

/// Takes a PROXY header off the connection's beginning if there is one; what was read beyond it is in `buffer`.
/// nullopt: nobody is there any more, or the stream's deadline, which is the caller's to set, has passed.
boost::asio::awaitable<std::optional<proxy_protocol::Parser::Status>> read_proxy_header(
    LocalStream& stream, boost::beast::flat_buffer& buffer, proxy_protocol::Parser& parser);

/// Ends a connection on which the peer may still be sending: without reading that, the kernel would answer with a reset
/// that can overtake our last response (RFC 9112 9.6). Bounded in time and octets.
boost::asio::awaitable<void> linger(LocalStream& stream);

}  // namespace telltale::proxy
