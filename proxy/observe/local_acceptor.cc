#include "proxy/observe/local_acceptor.h"

#include "proxy/net/listen_socket.h"
#include "proxy/net/socket_address.h"

#include <algorithm>
#include <cstring>
#include <unistd.h>
#include <utility>

namespace telltale::proxy {
namespace {

using boost::asio::generic::stream_protocol;

std::optional<net::IpPort> to_ip_port(const stream_protocol::endpoint& endpoint) {
  SocketAddress address;
  std::memcpy(address.data(), endpoint.data(), std::min<std::size_t>(endpoint.size(), *address.size_out()));
  return address.ip_port();
}

template <class F>
std::optional<net::IpPort> address_of(F get) {
  boost::system::error_code error;
  const stream_protocol::endpoint endpoint = get(error);
  return error ? std::nullopt : to_ip_port(endpoint);
}

}  // namespace

LocalAcceptor::LocalAcceptor(boost::asio::io_context& io, const conf::Address& address, unsigned unix_mode)
    : acceptor_(io) {
  ListenSocket socket = listen_on(address, false, unix_mode);
  address_ = socket.address;
  owns_path_ = !address.ip;
  acceptor_.assign(stream_protocol(SocketAddress(address).family(), 0), socket.fd.release());
}

void LocalAcceptor::close() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  if (std::exchange(owns_path_, false)) ::unlink(address_.unix_path.c_str());
}

std::optional<net::IpPort> peer_address(const StreamSocket& socket) {
  return address_of([&](auto& error) { return socket.remote_endpoint(error); });
}

std::optional<net::IpPort> local_address(const StreamSocket& socket) {
  return address_of([&](auto& error) { return socket.local_endpoint(error); });
}

}  // namespace telltale::proxy
