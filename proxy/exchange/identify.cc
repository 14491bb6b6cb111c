#include "proxy/exchange/identify.h"

#include "protocol/forwarding/errors.h"
#include "protocol/forwarding/identity_headers.h"
#include "protocol/http1/parser.h"

namespace telltale::proxy {

boost::system::error_code identify_client(const conf::Listener& listener, const forwarding::PeerInfo& peer,
                                          const http1::RequestHead& request, forwarding::ClientAddress& client) {
  const forwarding::HeaderTrust& trust = listener.client_ip.header;
  if (forwarding::resolve_client_address(peer, request.fields, trust, client) != forwarding::ResolveStatus::ok) {
    return forwarding::error_of(client);
  }
  if (forwarding::nominates_identity(request.fields, trust)) return http1::Error::bad_connection;
  return {};
}

}  // namespace telltale::proxy
