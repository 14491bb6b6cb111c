#pragma once

#include "protocol/net/ip_address.h"

#include <boost/system/error_code.hpp>

#include <string_view>

namespace telltale::proxy {

/// Why a backend cannot be connected to from the client's own address (`source_address: transparent`).
enum class SourceError {
  other_family = 1,   ///< an IPv6 client and an IPv4 endpoint, or the other way round
  no_client_address,  ///< the client is on a Unix socket, and nothing believed says more
  unix_endpoint,      ///< a Unix socket has no source address
};
boost::system::error_code make_error_code(SourceError error);

/// Makes `fd`, a TCP socket of `source`'s family that is not connected yet, connect from `source` although that is no
/// address of this host (IP_TRANSPARENT, IPV6_TRANSPARENT). The port is chosen by connect(), which knows both ends, so
/// that the ports of one client's address are used again for each endpoint (IP_BIND_ADDRESS_NO_PORT).
/// operation_not_permitted without CAP_NET_ADMIN or CAP_NET_RAW.
boost::system::error_code bind_transparently(int fd, const net::IpAddress& source);

/// Whether this process may do that, found by trying it on sockets of both families.
boost::system::error_code try_transparent_source();
/// What to do when it may not.
inline constexpr std::string_view transparent_source_advice =
    "grant CAP_NET_ADMIN (CAP_NET_RAW is enough for this): `setcap cap_net_admin+ep telltale`, systemd's "
    "`AmbientCapabilities=CAP_NET_ADMIN`, or in a container `runAsUser: 0` with `capabilities: { drop: [ALL], add: "
    "[NET_ADMIN] }`";

}  // namespace telltale::proxy

template <>
struct boost::system::is_error_code_enum<telltale::proxy::SourceError> : std::true_type {};
