#include "proxy/net/listen_socket.h"

#include "proxy/net/socket_address.h"

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <system_error>

namespace telltale::proxy {
namespace {

constexpr int backlog = 4096;  // the kernel caps it at net.core.somaxconn
constexpr int keepalive_idle_seconds = 60;

[[noreturn]] void fail(const conf::Address& address, const char* what) {
  throw std::system_error(errno, std::system_category(), std::string(what) + " " + address.to_string());
}

void set(int fd, int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); }

/// A socket file that a dead process left would make every restart fail; one that is alive must not be taken over.
void remove_stale(const conf::Address& address) {
  struct stat info{};
  if (::stat(address.unix_path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return;
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!probe) return;
  const SocketAddress target(address);
  if (::connect(probe.get(), target.data(), target.size()) != 0 && errno == ECONNREFUSED) {
    ::unlink(address.unix_path.c_str());
  }
}

}  // namespace

ListenSocket listen_on(const conf::Address& address, bool share_port, unsigned unix_mode) {
  SocketAddress target(address);
  ListenSocket result{UniqueFd(::socket(target.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), address};
  const int fd = result.fd.get();
  if (fd < 0) fail(address, "socket for");
  if (target.family() == AF_UNIX) {
    remove_stale(address);
  } else {
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (share_port) set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle_seconds);
    if (target.family() == AF_INET6) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, address.ip->address.is_unspecified() ? 0 : 1);
  }
  if (::bind(fd, target.data(), target.size()) != 0) fail(address, "cannot bind");
  if (target.family() == AF_UNIX) ::chmod(address.unix_path.c_str(), unix_mode);
  if (::listen(fd, backlog) != 0) fail(address, "cannot listen on");
  if (address.ip) {
    SocketAddress actual;
    if (::getsockname(fd, actual.data(), actual.size_out()) != 0) fail(address, "getsockname for");
    result.address.ip->port = actual.ip_port()->port;
  }
  return result;
}

void refuse_connections(int fd) { ::shutdown(fd, SHUT_RD); }

bool accept_connections(int fd) { return ::listen(fd, backlog) == 0; }

}  // namespace telltale::proxy
