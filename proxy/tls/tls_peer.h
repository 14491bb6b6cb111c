#pragma once

#include "conf/address.h"
#include "conf/model_tls.h"
#include "protocol/net/ip_address.h"

#include <optional>
#include <string>
#include <string_view>

namespace telltale::proxy {

/// Who a backend has to prove to be. One of the two is set.
struct TlsPeer {
  std::string name;                       ///< a DNS name, which is asked for, too (SNI, RFC 6066 3)
  std::optional<net::IpAddress> address;  ///< never sent; the certificate must have it (RFC 9110 4.3.5)
};

/// `tls.sni`, else `host`: a name or an address, without a port.
TlsPeer tls_peer(const conf::BackendTls& tls, std::string_view host);
/// `tls.sni`, else the name that the address was found by, else the address; of a Unix socket `localhost`.
TlsPeer tls_peer(const conf::BackendTls& tls, std::string_view found_by, const conf::Address& address);

}  // namespace telltale::proxy
