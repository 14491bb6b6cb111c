#include "proxy/explain/explain_hops.h"

#include "conf/words.h"
#include "protocol/forwarding/asserted_client.h"
#include "proxy/exchange/dropped_assertion.h"

#include <algorithm>
#include <utility>

namespace telltale::proxy {
namespace {

using forwarding::ClientAddress;
using forwarding::HeaderTrust;
using forwarding::Provenance;
using forwarding::RejectReason;

std::string text_of(const net::IpPort& address) {
  return address.port != 0 ? address.to_string() : address.address.to_string();
}

/// The type of the TLV in which one of the assertions came that were judged, 0 for the header field: that one is judged
/// first, and the other one if it was refused.
std::uint8_t asserting_tlv(const conf::ClientIp& client_ip, const forwarding::PeerInfo& peer,
                           const http::HeaderBlock& fields, std::ptrdiff_t refused_before) {
  const bool is_in_head = refused_before == 0 && forwarding::has_assertion(fields);
  return client_ip.assertion && peer.assertion_came != 0 && !is_in_head ? client_ip.assertion->tlv : 0;
}

std::string said_by(Provenance provenance, const HeaderTrust& trust, std::uint8_t tlv) {
  switch (provenance) {
    case Provenance::socket:
      return "socket";
    case Provenance::proxy_protocol:
      return "PROXY header";
    case Provenance::header:
      return trust.name;
    case Provenance::assertion:
      return assertion_place(tlv);
  }
  return std::string(to_string(provenance));
}

bool came(const http::HeaderBlock& fields, const HeaderTrust& trust) {
  return trust.kind != HeaderTrust::Kind::none && fields.has(trust.field);
}

/// Why the walk ended at its last hop.
std::string why_client(const HeaderTrust& trust, const http::HeaderBlock& fields, const ClientAddress& client,
                       const std::optional<net::IpAddress>& last) {
  if (client.provenance == Provenance::assertion) return "the signed assertion that came is valid";
  if (trust.kind == HeaderTrust::Kind::none) return "no header is believed (client_ip.header: none)";
  if (!client.header_believed) {
    const std::string not_trusted = "not in client_ip.trusted";
    return came(fields, trust) ? not_trusted + ": the " + trust.name + " that came is not believed" : not_trusted;
  }
  const std::string range = range_of(trust.trusted, last);
  const std::string trusted = "in client_ip.trusted (" + range + ")";
  if (!came(fields, trust)) return trusted + ", but no " + trust.name + " came";
  if (refusal_of(client) != nullptr) return "the last before an entry of " + trust.name + " that cannot be read";
  if (client.provenance != Provenance::header) return trusted + ", but its " + trust.name + " names nobody";
  if (trust.kind == HeaderTrust::Kind::single_address) return "the one address that " + trust.name + " holds";
  if (trust.trusted_hops > 0) {
    const auto entries = std::ranges::count(client.hops, Provenance::header, &forwarding::Hop::reported_by);
    const std::string hops = "client_ip.trusted_hops: " + std::to_string(trust.trusted_hops);
    return std::cmp_less(entries, trust.trusted_hops) ? "the leftmost: there are fewer entries than " + hops
                                                      : hops + ", counted from the right";
  }
  return range.empty() ? "not in client_ip.trusted" : "the leftmost, and all are in client_ip.trusted";
}

std::string why_trusted(const conf::ClientIp& client_ip, const forwarding::Hop& hop, Provenance next,
                        std::uint8_t tlv) {
  if (next == Provenance::proxy_protocol) {
    return "its PROXY header is believed: " + describe_proxy_rule(client_ip, hop.address.address);
  }
  if (next == Provenance::assertion) {
    return tlv == 0 ? "it brought a signed assertion" : "a signed assertion came in the PROXY header";
  }
  const HeaderTrust& trust = client_ip.header;
  const std::string range = range_of(trust.trusted, hop.address.address);
  if (!range.empty()) return "in client_ip.trusted (" + range + ")";
  return "one of client_ip.trusted_hops: " + std::to_string(trust.trusted_hops);
}

std::string describe(RejectReason reason, const std::string& hop) {
  switch (reason) {
    case RejectReason::peer_not_trusted:
      return "it came from " + hop + ", which is not in client_ip.trusted";
    case RejectReason::not_an_address:
      return "no address: the walk ended there";
    case RejectReason::beyond_client:
      return "left of the client: anyone may have written it";
    case RejectReason::malformed:
      return "it cannot be read, so nobody can tell what the hop wrote";
    case RejectReason::list_too_long:
      return "more than " + std::to_string(forwarding::max_list_entries) + " entries or " +
             std::to_string(forwarding::max_list_octets) + " octets: 400";
    default:  // of an assertion
      return std::string(to_string(reason));
  }
}

void explain_refused(const conf::ClientIp& client_ip, const forwarding::PeerInfo& peer, const http::HeaderBlock& fields,
                     const ClientAddress& client, Explanation& out) {
  const std::string hop = peer.hop() ? peer.hop()->address.to_string() : "unix";
  std::ptrdiff_t assertions = 0;
  for (const auto& each : client.rejected) {
    if (is_of_assertion(each.reason) && client_ip.assertion) {
      out.refused.push_back({assertion_place(asserting_tlv(client_ip, peer, fields, assertions++)), each.token,
                             explain_dropped_assertion(each.reason, *client_ip.assertion)});
    } else {
      out.refused.push_back({client_ip.header.name, each.token, describe(each.reason, hop)});
    }
  }
}

}  // namespace

std::string range_of(const net::CidrSet& set, const std::optional<net::IpAddress>& address) {
  if (!address) return set.includes_unix() ? "unix" : "";
  for (const net::Cidr& range : set.ranges()) {
    if (range.contains(*address)) return range.to_string();
  }
  return {};
}

std::string describe_proxy_rule(const conf::ClientIp& client_ip, const std::optional<net::IpAddress>& hop) {
  for (std::size_t i = 0; i < client_ip.proxy_protocol.size(); ++i) {
    const auto& rule = client_ip.proxy_protocol[i];
    if (!rule.from.contains(hop)) continue;
    return "client_ip.proxy_protocol[" + std::to_string(i) + "] (" + range_of(rule.from, hop) + ", " +
           std::string(conf::word_of(rule.policy)) + ")";
  }
  return "no rule of client_ip.proxy_protocol";
}

void explain_hops(const conf::Listener& listener, const forwarding::PeerInfo& peer, const http::HeaderBlock& fields,
                  const ClientAddress& client, Explanation& out) {
  const auto& client_ip = listener.client_ip;
  const HeaderTrust& trust = client_ip.header;
  out.hops.clear();
  // A peer on a Unix socket has no address, so it is no hop of the resolver's; for a picture it is one.
  if (!peer.socket_peer) {
    const bool is_client = client.hops.empty();
    std::string why = is_client ? why_client(trust, fields, client, std::nullopt)
                      : peer.proxy_source
                          ? "its PROXY header is believed: " + describe_proxy_rule(client_ip, std::nullopt)
                          : "in client_ip.trusted (unix)";
    out.hops.push_back({"unix", "socket", std::move(why), is_client});
  }
  const auto refused =
      std::ranges::count_if(client.rejected, [](const auto& each) { return is_of_assertion(each.reason); });
  const std::uint8_t tlv = asserting_tlv(client_ip, peer, fields, refused);
  for (std::size_t i = 0; i < client.hops.size(); ++i) {
    const auto& hop = client.hops[i];
    const bool is_client = i + 1 == client.hops.size();
    out.hops.push_back({text_of(hop.address), said_by(hop.reported_by, trust, tlv),
                        is_client ? why_client(trust, fields, client, hop.address.address)
                                  : why_trusted(client_ip, hop, client.hops[i + 1].reported_by, tlv),
                        is_client});
  }
  out.client = client.address ? client.address->to_string() : "unix";
  out.client_port = client.port;
  out.provenance = to_string(client.provenance);
  explain_refused(client_ip, peer, fields, client, out);
}

}  // namespace telltale::proxy
