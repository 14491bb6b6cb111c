// In -> out -> in: any PROXY header and request head from a client, through the layers and the writer of the proxy, and
// what leaves read again as the next hop reads it. One line of each list leaves, no identity field from outside does,
// and the next hop, which trusts us, finds the client that we found.
#include "protocol/forwarding/client_address.h"
#include "protocol/forwarding/identity_headers.h"
#include "protocol/forwarding/propagate.h"
#include "protocol/forwarding/x_forwarded_for.h"
#include "protocol/http1/parser.h"
#include "protocol/proxy_protocol/parser.h"
#include "protocol/proxy_protocol/serializer.h"
#include "protocol/proxy_protocol/tlv.h"
#include "protocol/proxy_protocol/tlv_names.h"
#include "proxy/exchange/request_writer.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace {

using namespace telltale;
using namespace telltale::forwarding;
using http::FieldId;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

const net::IpAddress us = net::IpAddress::v4(10, 0, 0, 9);
constexpr http1::HeadLimits wide{.max_head_bytes = 1 << 20, .max_target_bytes = 1 << 20, .max_fields = 10'000};
constexpr std::string_view own_name = "x-company-client";

// The first octet of the input chooses who is believed and what is told.
struct Scene {
  explicit Scene(std::uint8_t octet) {
    static constexpr HeaderTrust::Kind kinds[] = {HeaderTrust::Kind::x_forwarded_for, HeaderTrust::Kind::forwarded,
                                                  HeaderTrust::Kind::single_address, HeaderTrust::Kind::none};
    static constexpr const char* names[] = {"x-forwarded-for", "forwarded", "cf-connecting-ip", "x-forwarded-for"};
    trust.kind = kinds[octet & 3];
    trust.name = names[octet & 3];
    trust.field = http::field_id(trust.name);
    trust.trusted = net::CidrSet({*net::Cidr::parse("10.0.0.0/8"), *net::Cidr::parse("fd00::/8")});
    trust.trusted_hops = octet >> 2 & 3;
    trust.extra_identity_names = {std::string(own_name)};
    propagate.x_forwarded_for = propagate.forwarded.mode = (octet & 0x10) != 0 ? ListMode::replace : ListMode::append;
    propagate.forwarded.write_by = propagate.forwarded.write_host = propagate.forwarded.ports = true;
    propagate.x_forwarded_proto = propagate.x_forwarded_host = propagate.x_forwarded_port = propagate.x_real_ip = true;
    propagate.proxy_protocol = true;
    using proxy_protocol::TlvType;
    propagate.tlvs = {TlvType::authority, TlvType::alpn, TlvType::ssl, TlvType::netns};
    propagate.pass_tlvs = {*proxy_protocol::parse_tlv_selector("0xE3"),
                           *proxy_protocol::parse_tlv_selector("aws_vpce_id")};
    const bool stranger = (octet & 0x20) != 0;
    peer.socket_peer = net::IpPort{stranger ? net::IpAddress::v4(192, 0, 2, 1) : net::IpAddress::v4(10, 0, 0, 1), 4711};
    peer.socket_local = net::IpPort{net::IpAddress::v4(203, 0, 113, 1), 80};
    limits.underscores = static_cast<http1::UnderscorePolicy>((octet >> 6) % 3);
  }
  HeaderTrust trust;
  Propagate propagate;
  PeerInfo peer;
  http1::HeadLimits limits;
};

// As the PROXY phase does. False: the connection is closed.
bool take_proxy_header(std::string_view& octets, PeerInfo& peer) {
  proxy_protocol::Parser parser;
  const auto outcome = parser.feed(octets);
  if (outcome.status == proxy_protocol::Parser::Status::no_signature) return true;
  if (outcome.status != proxy_protocol::Parser::Status::complete) return false;
  octets.remove_prefix(outcome.consumed);
  peer.has_proxy_header = true;
  peer.tlvs = parser.header().tlvs;
  if (parser.header().command != proxy_protocol::Command::proxy || !parser.header().source) return true;
  peer.proxy_source = parser.header().source;
  peer.proxy_destination = parser.header().destination;
  return true;
}

bool parse_head(std::string_view octets, const http1::HeadLimits& limits, http1::RequestHead& head,
                std::size_t* consumed = nullptr) {
  http1::RequestParser parser;
  parser.start(head, limits);
  const http1::Outcome outcome = parser.feed(octets);
  if (consumed) *consumed = outcome.consumed;
  return outcome.status == http1::Status::complete;
}

void check_result(const ClientAddress& client) {
  require(client.address.has_value() && !client.hops.empty(), "a socket peer is always known");
  require(client.hops.back().address.address == *client.address, "the last hop is the client");
  for (std::size_t i = 0; i < client.hops.size(); ++i) {
    const bool last = i + 1 == client.hops.size();
    require((client.hops[i].verdict == HopVerdict::client) == last, "one client, the last");
  }
}

// Names that the proxy itself writes, spelt by it alone.
bool is_ours(FieldId id) {
  switch (id) {
    case FieldId::forwarded:
    case FieldId::x_forwarded_for:
    case FieldId::x_forwarded_proto:
    case FieldId::x_forwarded_host:
    case FieldId::x_forwarded_port:
    case FieldId::x_real_ip:
      return true;
    default:
      return false;
  }
}

void check_fields(const http::HeaderBlock& sent, const Scene& scene, const ClientAddress& client) {
  require(sent.count(FieldId::x_forwarded_for) == 1, "one X-Forwarded-For leaves");
  require(sent.count(FieldId::forwarded) == 1, "one Forwarded leaves");
  require(sent.count(FieldId::x_real_ip) == 1, "one X-Real-IP leaves");
  require(sent.count(FieldId::via) == 1, "one Via leaves");
  const auto real_ip = parse_address_entry(*sent.first(FieldId::x_real_ip));
  require(real_ip && real_ip->address == client.address, "X-Real-IP is the client");
  for (const http::HeaderBlock::Field field : sent) {
    require(!http::folded_equal(field.name, own_name), "a configured identity name survived");
    if (!http::is_identity(field.id)) continue;
    if (is_ours(field.id)) {
      require(sent.count(field.id) == 1 && field.name.find('_') == std::string_view::npos, "a field of ours, once");
      continue;
    }
    require(scene.trust.kind == HeaderTrust::Kind::single_address && field.id == scene.trust.field,
            "a stranger's field");
    require(client.provenance == Provenance::header, "a single address that was not believed survived");
    const auto address = parse_address_entry(field.value);
    require(address && address->address == client.address && sent.count(field.id) == 1, "another single address");
  }
}

void check_next_hop(const http::HeaderBlock& sent, const Scene& scene, const ClientAddress& client) {
  PeerInfo peer;
  peer.socket_peer = net::IpPort{us, 4711};
  const bool replaced = scene.propagate.x_forwarded_for == ListMode::replace;
  for (const auto kind : {HeaderTrust::Kind::x_forwarded_for, HeaderTrust::Kind::forwarded}) {
    // What was believed from another header is told by `replace` alone: `append` tells the hops.
    if (!replaced && kind != scene.trust.kind) continue;
    HeaderTrust trust = scene.trust;
    trust.kind = kind;
    trust.name = kind == HeaderTrust::Kind::forwarded ? "forwarded" : "x-forwarded-for";
    trust.field = http::field_id(trust.name);
    if (replaced) {
      trust.trusted_hops = 0;
    } else if (trust.trusted_hops > 0) {
      ++trust.trusted_hops;  // we are one more
    }
    ClientAddress next;
    if (resolve_client_address(peer, sent, trust, next) != ResolveStatus::ok) continue;  // as long as the limit
    require(next.address == client.address, "the next hop finds the same client");
  }
}

void check_proxy_header(const Scene& scene, const RequestFacts& facts) {
  const proxy_protocol::Header header = make_proxy_header(scene.propagate, facts);
  std::string wire;
  require(proxy_protocol::serialize(header, wire, true), "our PROXY header can be written");
  proxy_protocol::Parser parser;
  const auto outcome = parser.feed(wire + "GET");
  require(outcome.status == proxy_protocol::Parser::Status::complete && outcome.consumed == wire.size(), "and read");
  const proxy_protocol::Header& again = parser.header();
  require(again.command == proxy_protocol::Command::proxy && again.source, "it says who");
  require(again.source->address == *facts.client.address && again.source->port == facts.client.port, "and it is them");
  require(again.destination == facts.peer.destination(), "and where they wanted to go");
  const proxy_protocol::TlvRange received(facts.peer.tlvs), told(again.tlvs);
  for (const auto type : {proxy_protocol::TlvType::ssl, proxy_protocol::TlvType{0xe3}}) {
    require(told.find(type) == received.find(type), "what passes is what came");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Scene scene(*data);
  std::string_view octets(reinterpret_cast<const char*>(data + 1), size - 1);
  if (!take_proxy_header(octets, scene.peer)) return 0;
  http1::RequestHead head;
  if (!parse_head(octets, scene.limits, head)) return 0;
  if (head.authority.empty()) return 0;  // HTTP/1.0 without Host cannot be said in HTTP/1.1
  ClientAddress client;
  if (resolve_client_address(scene.peer, head.fields, scene.trust, client) != ResolveStatus::ok) return 0;
  check_result(client);

  const RequestFacts facts{.peer = scene.peer, .client = client, .scheme = "http", .host = head.authority};
  std::string out;
  proxy::append_request_head(out, head, scene.trust, scene.propagate, facts);
  http1::RequestHead sent;
  std::size_t consumed = 0;
  require(parse_head(out, wide, sent, &consumed) && consumed == out.size(), "what leaves is one head");
  check_fields(sent.fields, scene, client);
  check_next_hop(sent.fields, scene, client);
  check_proxy_header(scene, facts);
  return 0;
}
