#include "protocol/forwarding/client_address.h"

#include "protocol/forwarding/forwarded.h"
#include "protocol/forwarding/identity_headers.h"
#include "protocol/forwarding/list.h"
#include "protocol/forwarding/x_forwarded_for.h"
#include "protocol/http/header_block.h"

#include <array>

namespace telltale::forwarding {
namespace {

constexpr std::size_t max_token_octets = 64;
constexpr std::size_t usual_hops = 4;

void reject(ClientAddress& result, std::string_view token, RejectReason reason) {
  result.rejected.push_back({std::string(token.substr(0, max_token_octets)), reason});
}

// Reads one entry of the believed header; or why it is no address.
std::optional<RejectReason> read_forwarded(std::string_view text, net::IpPort& address) {
  ForwardedElement element;
  if (!parse_forwarded_element(text, element)) return RejectReason::malformed;
  if (!element.for_node.present) return RejectReason::not_an_address;  // what is left of it has no voucher
  std::array<char, 128> scratch;
  const auto value = element.for_node.unescape(scratch);
  if (!value) return RejectReason::not_an_address;
  const auto node = parse_node(*value);
  if (!node || node->kind != Node::Kind::address) return RejectReason::not_an_address;
  address = node->address;
  return std::nullopt;
}
std::optional<RejectReason> read_x_forwarded_for(std::string_view text, net::IpPort& address) {
  const auto parsed = parse_address_entry(text);
  if (!parsed) return RejectReason::not_an_address;
  address = *parsed;
  return std::nullopt;
}

// The walk over a list, right to left: identity.md, layer 3.
class Walk {
 public:
  Walk(const HeaderTrust& trust, ClientAddress& result) : trust_(trust), result_(result) {}

  ResolveStatus run(const http::HeaderBlock& fields) {
    const bool is_forwarded = trust_.kind == HeaderTrust::Kind::forwarded;
    ElementsFromRight elements(fields, trust_, is_forwarded ? ListSyntax::quoted : ListSyntax::plain);
    std::string_view element;
    std::size_t entries = 0;
    while (elements.next(element)) {
      if (++entries > max_list_entries || elements.octets() > max_list_octets) return ResolveStatus::list_too_long;
      step(element, is_forwarded);
    }
    if (elements.octets() > max_list_octets) return ResolveStatus::list_too_long;
    return state_ == State::stopped ? ResolveStatus::invalid : ResolveStatus::ok;
  }

 private:
  enum class State : std::uint8_t { walking, client_found, stopped };

  void step(std::string_view element, bool is_forwarded) {
    if (state_ == State::client_found) reject(result_, element, RejectReason::beyond_client);
    if (state_ != State::walking) return;
    Hop& hop = result_.hops.emplace_back(Hop{{}, Provenance::header, HopVerdict::trusted});
    const auto refused =
        is_forwarded ? read_forwarded(element, hop.address) : read_x_forwarded_for(element, hop.address);
    if (refused) {
      result_.hops.pop_back();
      reject(result_, element, *refused);
      state_ = State::stopped;
      return;
    }
    ++taken_;
    const bool is_client =
        trust_.trusted_hops > 0 ? taken_ == trust_.trusted_hops : !trust_.trusted.contains(hop.address.address);
    if (is_client) state_ = State::client_found;
  }

  const HeaderTrust& trust_;
  ClientAddress& result_;
  State state_ = State::walking;
  unsigned taken_ = 0;
};

ResolveStatus read_single_address(const http::HeaderBlock& fields, const HeaderTrust& trust, ClientAddress& result) {
  std::optional<std::string_view> value;
  for (const http::HeaderBlock::Field field : fields) {
    if (!is_believed_header(field.id, field.name, trust)) continue;
    if (value) {
      reject(result, field.value, RejectReason::malformed);
      return ResolveStatus::invalid;
    }
    value = field.value;
  }
  if (!value) return ResolveStatus::ok;
  const auto address = parse_address_entry(trim_ows(*value));
  if (!address) {
    reject(result, *value, RejectReason::not_an_address);
    return ResolveStatus::invalid;
  }
  result.hops.push_back({*address, Provenance::header, HopVerdict::trusted});
  return ResolveStatus::ok;
}

ResolveStatus read_header(const http::HeaderBlock& fields, const HeaderTrust& trust, ClientAddress& result) {
  const ResolveStatus status = trust.kind == HeaderTrust::Kind::single_address
                                   ? read_single_address(fields, trust, result)
                                   : Walk(trust, result).run(fields);
  return status == ResolveStatus::invalid && trust.on_invalid == OnInvalid::stop ? ResolveStatus::ok : status;
}

void reject_unbelieved(const http::HeaderBlock& fields, const HeaderTrust& trust, ClientAddress& result) {
  for (const http::HeaderBlock::Field field : fields) {
    if (result.rejected.size() == max_list_entries) return;
    if (is_believed_header(field.id, field.name, trust)) reject(result, field.value, RejectReason::peer_not_trusted);
  }
}

// The last hop of the walk is the client.
void conclude(ClientAddress& result) {
  if (result.hops.empty()) return;
  Hop& client = result.hops.back();
  client.verdict = HopVerdict::client;
  result.address = client.address.address;
  result.port = client.address.port;
  result.provenance = client.reported_by;
}

}  // namespace

std::string_view to_string(Provenance provenance) {
  switch (provenance) {
    case Provenance::socket:
      return "socket";
    case Provenance::proxy_protocol:
      return "proxy_protocol";
    case Provenance::header:
      return "header";
    case Provenance::assertion:
      return "assertion";
  }
  return {};
}

std::string_view to_string(RejectReason reason) {
  switch (reason) {
    case RejectReason::peer_not_trusted:
      return "peer_not_trusted";
    case RejectReason::not_an_address:
      return "not_an_address";
    case RejectReason::beyond_client:
      return "beyond_client";
    case RejectReason::malformed:
      return "malformed";
    case RejectReason::list_too_long:
      return "list_too_long";
    case RejectReason::assertion_malformed:
      return "assertion_malformed";
    case RejectReason::assertion_unknown_key:
      return "assertion_unknown_key";
    case RejectReason::assertion_bad_signature:
      return "assertion_bad_signature";
    case RejectReason::assertion_other_authority:
      return "assertion_other_authority";
    case RejectReason::assertion_expired:
      return "assertion_expired";
    case RejectReason::assertion_not_yet_valid:
      return "assertion_not_yet_valid";
  }
  return {};
}

const Rejected* refusal_of(const ClientAddress& client) {
  for (const Rejected& each : client.rejected) {
    if (!is_of_assertion(each.reason) && each.reason != RejectReason::beyond_client) return &each;
  }
  return nullptr;
}

const Rejected* assertion_refusal_of(const ClientAddress& client) {
  for (const Rejected& each : client.rejected) {
    if (is_of_assertion(each.reason)) return &each;
  }
  return nullptr;
}

ResolveStatus resolve_client_address(const PeerInfo& peer, const http::HeaderBlock& fields, const HeaderTrust& trust,
                                     ClientAddress& result) {
  result.clear();
  if (result.hops.capacity() < usual_hops) result.hops.reserve(usual_hops);
  if (peer.socket_peer) result.hops.push_back({*peer.socket_peer, Provenance::socket, HopVerdict::trusted});
  for (const net::IpPort& each : peer.proxy_hops) {
    result.hops.push_back({each, Provenance::proxy_protocol, HopVerdict::trusted});
  }
  if (peer.proxy_source) result.hops.push_back({*peer.proxy_source, Provenance::proxy_protocol, HopVerdict::trusted});
  const std::size_t known_hops = result.hops.size();

  std::optional<net::IpAddress> hop;
  if (peer.hop()) hop = peer.hop()->address;
  result.header_believed = trust.kind != HeaderTrust::Kind::none && trust.trusted.contains(hop);

  ResolveStatus status = ResolveStatus::ok;
  if (trust.kind != HeaderTrust::Kind::none && fields.has(trust.field)) {
    if (!result.header_believed) {
      reject_unbelieved(fields, trust, result);
    } else {
      status = read_header(fields, trust, result);
    }
  }
  if (status != ResolveStatus::ok) result.hops.resize(known_hops, Hop{});
  if (status == ResolveStatus::list_too_long) {
    result.rejected.clear();
    reject(result, {}, RejectReason::list_too_long);
  }
  conclude(result);
  return status;
}

}  // namespace telltale::forwarding
