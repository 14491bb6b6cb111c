#pragma once

#include "conf/model.h"
#include "proxy/net/unique_fd.h"

namespace telltale::proxy {

/// A bound and listening socket. Its options (no delay, keep-alive) are inherited by what it accepts: none is set per
/// connection.
struct ListenSocket {
  UniqueFd fd;
  conf::Address address;  ///< with the real port when 0 was asked for
};

/// `[::]` listens on IPv4 too. With `share_port`, several sockets may have the address (SO_REUSEPORT): the kernel
/// spreads connections over them. A stale Unix socket file that nobody listens on is replaced. Throws
/// std::system_error, its text names the address.
ListenSocket listen_on(const conf::Address& address, bool share_port, unsigned unix_mode = 0660);

/// A listening TCP socket refuses connections from now on, those in its backlog among them, and keeps its port.
void refuse_connections(int fd);
/// Ends that. False: the port cannot be listened on any more; errno says why.
bool accept_connections(int fd);

}  // namespace telltale::proxy
