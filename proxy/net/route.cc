#include "proxy/net/route.h"

#include "proxy/net/socket_address.h"
#include "proxy/net/unique_fd.h"

#include <sys/socket.h>

namespace telltale::proxy {

bool has_route(const net::IpAddress& address) {
  constexpr std::uint16_t any_port = 9;
  const SocketAddress target(conf::Address{net::IpPort{address, any_port}, {}});
  const UniqueFd fd(::socket(target.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  // Of a datagram socket this only asks the kernel for the way there.
  return fd && ::connect(fd.get(), target.data(), target.size()) == 0;
}

}  // namespace telltale::proxy
