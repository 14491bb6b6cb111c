#pragma once

#include "conf/model.h"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

#include <optional>

/// What the small Beast servers (admin, echo) share: one code path for TCP and Unix sockets. Not for the data path.
namespace telltale::proxy {

using StreamSocket = boost::asio::generic::stream_protocol::socket;

/// A listening socket, TCP or Unix. `[::]` takes IPv4 too. A Unix socket gets `unix_mode`; a stale one, to which nobody
/// listens, is replaced, and the file goes when this does.
class LocalAcceptor {
 public:
  using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol>;

  /// Throws std::system_error, its text names the address.
  LocalAcceptor(boost::asio::io_context& io, const conf::Address& address, unsigned unix_mode);
  ~LocalAcceptor() { close(); }

  Acceptor& acceptor() { return acceptor_; }
  /// With the real port.
  const conf::Address& address() const { return address_; }
  void close();

 private:
  Acceptor acceptor_;
  conf::Address address_;
  bool owns_path_ = false;
};

/// Address and port of either end; nullopt for a Unix socket or one that is gone.
std::optional<net::IpPort> peer_address(const StreamSocket& socket);
std::optional<net::IpPort> local_address(const StreamSocket& socket);

}  // namespace telltale::proxy
