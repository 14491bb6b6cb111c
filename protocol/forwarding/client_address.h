#pragma once

#include "protocol/http/field_id.h"
#include "protocol/net/cidr.h"
#include "protocol/net/ip_address.h"
#include "protocol/proxy_protocol/header.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::http {
class HeaderBlock;
}

namespace telltale::forwarding {

/// Which layer said who the client is.
enum class Provenance : std::uint8_t { socket, proxy_protocol, header, assertion };
std::string_view to_string(Provenance provenance);

/// What is known of a connection once its PROXY phase is over. nullopt addresses: a Unix socket, or a header that
/// named none.
struct PeerInfo {
  std::optional<net::IpPort> socket_peer;        ///< who opened the TCP connection to us
  std::optional<net::IpPort> socket_local;       ///< the address it aimed at
  std::optional<net::IpPort> proxy_source;       ///< from a believed PROXY header
  std::optional<net::IpPort> proxy_destination;  ///< likewise
  /// When several PROXY headers were believed: the hops that the first ones named, from us outwards; proxy_source is
  /// what the last one named. Empty for none or one, so that a connection allocates nothing for it.
  std::vector<net::IpPort> proxy_hops;
  bool has_proxy_header = false;  ///< one was believed, LOCAL included
  /// When the PROXY header came that brought a signed assertion in the TLV that is looked at: seconds since 1970 UTC,
  /// to 2106. 0: none did (date_assertion()).
  std::uint32_t assertion_came = 0;
  /// The TLVs of the believed PROXY headers, that of the nearest hop first: read them by name (tlv_names.h). Well
  /// formed.
  std::string tlvs;

  /// The hop that speaks to us as far as layers 1 and 2 know, and what it aimed at.
  const std::optional<net::IpPort>& hop() const { return proxy_source ? proxy_source : socket_peer; }
  const std::optional<net::IpPort>& destination() const { return proxy_destination ? proxy_destination : socket_local; }
};

/// What to do about a believed header whose next token from the right is no address: end the walk at the last good hop,
/// or refuse the request.
enum class OnInvalid : std::uint8_t { stop, reject };

/// The one header that is believed, and from whom (identity.md, layer 3).
struct HeaderTrust {
  enum class Kind : std::uint8_t { none, x_forwarded_for, forwarded, single_address };
  Kind kind = Kind::x_forwarded_for;
  http::FieldId field = http::FieldId::x_forwarded_for;
  std::string name = "x-forwarded-for";  ///< lower case; decides when field is `other` or a family
  net::CidrSet trusted;                  ///< hops whose header is believed; nobody by default
  /// The alternative to CIDRs for the walk: exactly this many hops wrote the list, counted from the right; the peer
  /// must still be in `trusted`. 0 = walk by CIDR.
  unsigned trusted_hops = 0;
  OnInvalid on_invalid = OnInvalid::stop;
  /// More names that claim to say who the client is (`identity_headers` in the configuration), to be treated like those
  /// of the registry.
  std::vector<std::string> extra_identity_names;
};

enum class HopVerdict : std::uint8_t { trusted, client };
struct Hop {
  net::IpPort address;
  Provenance reported_by;
  HopVerdict verdict;
};

enum class RejectReason : std::uint8_t {
  peer_not_trusted,  ///< the header came from a hop whose header is not believed
  not_an_address,    ///< `unknown`, an obfuscated identifier, garbage: the walk ended here
  beyond_client,     ///< left of the first untrusted address: anyone may have written it
  malformed,         ///< the header could not be parsed, or a single-address header came on more than one line
  list_too_long,     ///< more than max_list_entries, or max_list_octets
  // A signed assertion that is not believed (asserted_client.h), as assertion::Verdict has it.
  assertion_malformed,
  assertion_unknown_key,
  assertion_bad_signature,
  assertion_other_authority,
  assertion_expired,
  assertion_not_yet_valid,
};
/// Of those that are about the believed header, which stand first.
inline constexpr std::size_t header_reject_reason_count = 5;
constexpr bool is_of_assertion(RejectReason reason) {
  return static_cast<std::size_t>(reason) >= header_reject_reason_count;
}
/// `peer_not_trusted` and so on: for logs, metric labels and explanations.
std::string_view to_string(RejectReason reason);

struct Rejected {
  std::string token;  ///< at most 64 octets of it
  RejectReason reason;
};

/// The result of the layered resolver: used by access logs, routing, limits, balancing and propagation alike; nothing
/// else in the program reads a forwarding header.
struct ClientAddress {
  std::optional<net::IpAddress> address;  ///< nullopt: a Unix socket peer with nothing else known
  std::uint16_t port = 0;                 ///< 0: not known
  Provenance provenance = Provenance::socket;
  bool header_believed = false;  ///< the hop that spoke to us is trusted for headers (sanitising keeps its header)
  std::vector<Hop> hops;         ///< from us outwards; the last one is the client
  std::vector<Rejected> rejected;

  void clear() {
    address.reset(), port = 0, provenance = Provenance::socket, header_believed = false;
    hops.clear(), rejected.clear();
  }
};

/// What is wrong with the forwarding header of a request, if anything: the first rejected entry of it that is more than
/// leftovers beyond the client. nullptr: nothing.
const Rejected* refusal_of(const ClientAddress& client);

/// Likewise of its signed assertion (asserted_client.h): the entry that says why it is not believed. Of two, one in a
/// header and one in a TLV, the header's, which stands first.
const Rejected* assertion_refusal_of(const ClientAddress& client);

/// list_too_long: too many entries or octets in the believed header. invalid: an entry of it that the walk came to is
/// no address, and OnInvalid::reject. Either way the request must be answered 400.
enum class ResolveStatus : std::uint8_t { ok, list_too_long, invalid };
inline constexpr std::size_t max_list_entries = 64;
inline constexpr std::size_t max_list_octets = 8192;

/// Works out who the client is. Writes to `result` (cleared first) so that its capacity is reused: no allocation in
/// the common case. Unless it returns ok, the result holds what layers 1 and 2 say, and `rejected` why. Pure and thread
/// safe.
///
/// With trusted_hops, a list shorter than that was written by trusted hops alone, so its leftmost entry is the client.
/// A single-address header on more than one line is refused as malformed: nobody can tell which line the hop wrote.
/// Only lines with the header's real name are read: an alias (`x_forwarded_for`) is what a client sneaked past a hop.
ResolveStatus resolve_client_address(const PeerInfo& peer, const http::HeaderBlock& fields, const HeaderTrust& trust,
                                     ClientAddress& result);

}  // namespace telltale::forwarding
