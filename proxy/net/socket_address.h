#pragma once

#include "conf/model.h"
#include "protocol/net/ip_address.h"

#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>
#include <sys/un.h>

namespace telltale::proxy {

/// A kernel socket address, made from and read as our values.
class SocketAddress {
 public:
  SocketAddress() = default;
  explicit SocketAddress(const conf::Address& address);

  int family() const { return storage_.any.sa_family; }
  sockaddr* data() { return &storage_.any; }
  const sockaddr* data() const { return &storage_.any; }
  socklen_t size() const { return size_; }
  /// For the kernel to write to: set to the capacity before the call.
  socklen_t* size_out() {
    size_ = sizeof storage_;
    return &size_;
  }
  /// nullopt for a Unix socket.
  std::optional<net::IpPort> ip_port() const;

 private:
  union {
    sockaddr any;
    sockaddr_in in;
    sockaddr_in6 in6;
    sockaddr_un un;
  } storage_{};
  socklen_t size_ = 0;
};

}  // namespace telltale::proxy
