#pragma once

#include "conf/model.h"
#include "protocol/assertion/key_set.h"
#include "protocol/forwarding/client_address.h"
#include "protocol/forwarding/obfuscation.h"
#include "protocol/http1/head.h"
#include "proxy/explain/explanation.h"
#include "proxy/routing/route_table.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace telltale::proxy {

/// What the decisions about one request depend on. All by reference: for one call.
struct ExplainedRequest {
  const conf::Model& model;
  const conf::Listener& listener;
  const RouteTable& routes;                   ///< of the listener
  const forwarding::PeerInfo& peer;           ///< as the PROXY phase left it
  const http1::RequestHead& request;          ///< as the parser left it
  const forwarding::TlsFacts* tls = nullptr;  ///< null: the client spoke none
  /// What became of signed assertions when they came: the client, if one was found valid, and why others were not.
  std::optional<net::IpPort> asserted;
  std::span<const forwarding::RejectReason> assertion_refusals;
  /// Else what to judge it with; null: it is not judged, and `not_judged` says why.
  assertion::Keyring* keys = nullptr;
  std::int64_t now = 0;  ///< seconds since 1970 UTC
  std::string_view not_judged;
  std::uint64_t id_high = 0, id_low = 0;
  std::uint64_t connection_number = 0;
  const forwarding::ObfuscationKey& obfuscation_key;
};

/// Says what the data path does with this request, by calling what the data path calls: the resolver, the route table,
/// the writers of the PROXY header and of the request head. Adds to `out` all that follows from the request.
void explain_request(const ExplainedRequest& input, Explanation& out);

/// The part that is known of any connection: listener, peer, and the hops as far as the socket and the PROXY headers
/// tell them.
void explain_connection(const conf::Listener& listener, const forwarding::PeerInfo& peer, Explanation& out);

/// One PROXY header, decoded by the parser. Octets that it refuses give a header without a version.
Explanation::ProxyHeader explain_proxy_header(std::string_view octets);

}  // namespace telltale::proxy
