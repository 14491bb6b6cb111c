#include "proxy/net/socket_address.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace telltale::proxy {

SocketAddress::SocketAddress(const conf::Address& address) {
  if (!address.ip) {
    storage_.un.sun_family = AF_UNIX;
    const std::size_t length = std::min(address.unix_path.size(), sizeof storage_.un.sun_path - 1);
    std::memcpy(storage_.un.sun_path, address.unix_path.data(), length);
    size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + 1);
    return;
  }
  const auto octets = address.ip->address.octets();
  if (address.ip->address.is_v4()) {
    storage_.in.sin_family = AF_INET;
    storage_.in.sin_port = htons(address.ip->port);
    std::memcpy(&storage_.in.sin_addr, octets.data(), octets.size());
    size_ = sizeof storage_.in;
  } else {
    storage_.in6.sin6_family = AF_INET6;
    storage_.in6.sin6_port = htons(address.ip->port);
    std::memcpy(&storage_.in6.sin6_addr, octets.data(), octets.size());
    size_ = sizeof storage_.in6;
  }
}

std::optional<net::IpPort> SocketAddress::ip_port() const {
  if (family() == AF_INET) {
    std::array<std::uint8_t, 4> octets;
    std::memcpy(octets.data(), &storage_.in.sin_addr, octets.size());
    return net::IpPort{net::IpAddress::v4(octets), ntohs(storage_.in.sin_port)};
  }
  if (family() == AF_INET6) {
    std::array<std::uint8_t, 16> octets;
    std::memcpy(octets.data(), &storage_.in6.sin6_addr, octets.size());
    return net::IpPort{net::IpAddress::v6(octets), ntohs(storage_.in6.sin6_port)};
  }
  return std::nullopt;
}

}  // namespace telltale::proxy
