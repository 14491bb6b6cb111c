#include "proxy/observe/local_acceptor.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <array>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace telltale::proxy {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Unix = asio::local::stream_protocol;

tcp::endpoint to_endpoint(const net::IpPort& address) {
  const auto octets = address.address.octets();
  if (address.address.is_v4()) {
    asio::ip::address_v4::bytes_type bytes;
    std::memcpy(bytes.data(), octets.data(), bytes.size());
    return {asio::ip::address_v4(bytes), address.port};
  }
  asio::ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), octets.data(), bytes.size());
  return {asio::ip::address_v6(bytes), address.port};
}

std::optional<net::IpPort> to_ip_port(const asio::generic::stream_protocol::endpoint& endpoint) {
  const sockaddr* address = endpoint.data();
  if (address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof v4);
    std::array<std::uint8_t, 4> octets;
    std::memcpy(octets.data(), &v4.sin_addr, octets.size());
    return net::IpPort{net::IpAddress::v4(octets), ntohs(v4.sin_port)};
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, address, sizeof v6);
    std::array<std::uint8_t, 16> octets;
    std::memcpy(octets.data(), &v6.sin6_addr, octets.size());
    return net::IpPort{net::IpAddress::v6(octets), ntohs(v6.sin6_port)};
  }
  return std::nullopt;
}

/// Removes a socket that a process left behind when it died. One that answers, or a file that is no socket, stays, and
/// the bind then says so.
void remove_stale_socket(asio::io_context& io, const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  Unix::socket probe(io);
  boost::system::error_code error;
  probe.connect(Unix::endpoint(path), error);
  if (error == asio::error::connection_refused) ::unlink(path.c_str());
}

template <class F>
std::optional<net::IpPort> address_of(F get) {
  boost::system::error_code error;
  const asio::generic::stream_protocol::endpoint endpoint = get(error);
  return error ? std::nullopt : to_ip_port(endpoint);
}

}  // namespace

LocalAcceptor::LocalAcceptor(asio::io_context& io, const conf::Address& address, unsigned unix_mode)
    : acceptor_(io), address_(address) {
  if (address.ip) {
    const tcp::endpoint endpoint = to_endpoint(*address.ip);
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    if (address.ip->address.is_v6()) acceptor_.set_option(asio::ip::v6_only(false));
    acceptor_.bind(endpoint);
  } else {
    remove_stale_socket(io, address.unix_path);
    const Unix::endpoint endpoint(address.unix_path);
    acceptor_.open(endpoint.protocol());
    acceptor_.bind(endpoint);
    owns_path_ = true;
    // Before listen(): nobody can have connected with the wider permissions that the umask may have left.
    ::chmod(address.unix_path.c_str(), static_cast<mode_t>(unix_mode));
  }
  acceptor_.listen();
  if (address.ip) address_.ip = to_ip_port(acceptor_.local_endpoint());
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
