#include "proxy/net/transparent_source.h"

#include "proxy/net/socket_address.h"
#include "proxy/net/unique_fd.h"

#include <cerrno>
#include <netinet/in.h>
#include <sys/socket.h>

namespace telltale::proxy {
namespace {

using boost::system::error_code;

// Boost's error_category has a protected destructor that is not virtual, on purpose: categories are constants.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class Category final : public boost::system::error_category {
 public:
  constexpr Category() : error_category(0x5d1c7e0b92a4f683) {}
  const char* name() const noexcept override { return "source_address"; }
  std::string message(int value) const override { return text(value); }
  const char* message(int value, char*, std::size_t) const noexcept override { return text(value); }

 private:
  static const char* text(int value) noexcept {
    switch (static_cast<SourceError>(value)) {
      case SourceError::other_family:
        return "source_address: transparent, but the client's address is not of the endpoint's family";
      case SourceError::no_client_address:
        return "source_address: transparent, but the client has no address";
      case SourceError::unix_endpoint:
        return "source_address: transparent, but the endpoint is a Unix socket";
    }
    return "unknown source address error";
  }
};
#pragma GCC diagnostic pop
constexpr Category category;

error_code last_error() { return {errno, boost::system::system_category()}; }

error_code set_flag(int fd, int level, int option) {
  const int on = 1;
  return ::setsockopt(fd, level, option, &on, sizeof on) == 0 ? error_code() : last_error();
}

error_code set_transparent(int fd, bool is_v4) {
  return is_v4 ? set_flag(fd, IPPROTO_IP, IP_TRANSPARENT) : set_flag(fd, IPPROTO_IPV6, IPV6_TRANSPARENT);
}

}  // namespace

error_code make_error_code(SourceError error) { return {static_cast<int>(error), category}; }

error_code bind_transparently(int fd, const net::IpAddress& source) {
  if (const error_code refused = set_transparent(fd, source.is_v4())) return refused;
  // Of the IP level for both families. Without it bind() itself would look for a port that is free towards everybody.
  if (const error_code refused = set_flag(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT)) return refused;
  const SocketAddress address(conf::Address{net::IpPort{source, 0}, {}});
  return ::bind(fd, address.data(), address.size()) == 0 ? error_code() : last_error();
}

error_code try_transparent_source() {
  for (const bool is_v4 : {true, false}) {
    const UniqueFd fd(::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd && errno == EAFNOSUPPORT) continue;  // a kernel without IPv6 has no IPv6 clients
    if (!fd) return last_error();
    if (const error_code refused = set_transparent(fd.get(), is_v4)) return refused;
  }
  return {};
}

}  // namespace telltale::proxy
