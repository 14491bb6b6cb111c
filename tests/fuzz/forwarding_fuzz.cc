// Forwarded and X-Forwarded-For: parse -> write -> parse is stable; nothing a client writes on the left changes what is
// read on the right; what one hop resolves and tells, the next one resolves alike; one line of each header leaves.
#include "protocol/forwarding/client_address.h"
#include "protocol/forwarding/forwarded.h"
#include "protocol/forwarding/identity_headers.h"
#include "protocol/forwarding/propagate.h"
#include "protocol/forwarding/x_forwarded_for.h"
#include "protocol/http/header_block.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace telltale;
using namespace telltale::forwarding;

void require(bool condition) {
  if (!condition) std::abort();
}

HeaderTrust trust_in(HeaderTrust::Kind kind, const char* name) {
  HeaderTrust trust;
  trust.kind = kind;
  trust.name = name;
  trust.field = http::field_id(name);
  trust.trusted = net::CidrSet({*net::Cidr::parse("10.0.0.0/8"), *net::Cidr::parse("fd00::/8")});
  return trust;
}

PeerInfo peer_at(net::IpAddress address) {
  PeerInfo peer;
  peer.socket_peer = net::IpPort{address, 4711};
  peer.socket_local = net::IpPort{net::IpAddress::v4(203, 0, 113, 1), 80};
  return peer;
}

// What the HTTP parser lets into a field value: no control octets but HTAB.
std::string as_field_value(std::string_view text) {
  std::string value(text);
  for (char& c : value) {
    const auto octet = static_cast<unsigned char>(c);
    if ((octet < 0x20 && c != '\t') || octet == 0x7f) c = ' ';
  }
  return value;
}

// One field for each line of the input.
http::HeaderBlock as_fields(std::string_view name, std::string_view text) {
  http::HeaderBlock fields;
  for (int lines = 0; lines < 100; ++lines) {
    const std::size_t end = text.find('\n');
    fields.append(name, as_field_value(text.substr(0, end)));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return fields;
}

void check_value(const ForwardedValue& value) {
  std::array<char, 4096> scratch;
  const auto text = value.present ? value.unescape(scratch) : std::nullopt;
  if (!text || text->empty()) return;
  std::string written = "host=";
  require(append_forwarded_value(written, *text));
  ForwardedElement again;
  require(parse_forwarded_element(written, again));
  std::array<char, 4096> other;
  require(again.host.unescape(other) == text);
}

void check_node(std::string_view text) {
  const auto node = parse_node(text);
  if (!node || node->kind != Node::Kind::address) return;
  std::string written = "for=";
  append_node(written, node->address);
  ForwardedElement again;
  require(parse_forwarded_element(written, again));
  require(!again.for_node.escaped);
  const auto read = parse_node(again.for_node.text);
  require(read && read->kind == Node::Kind::address && read->address == node->address);
}

void check_parsers(std::string_view input) {
  ForwardedElement element;
  if (parse_forwarded_element(input, element)) {
    for (const ForwardedValue& value : {element.for_node, element.by_node, element.host, element.proto}) {
      check_value(value);
      check_node(value.text);
    }
  }
  check_node(input);
  if (const auto entry = parse_address_entry(input)) {
    require(parse_address_entry(entry->address.to_string()) == net::IpPort{entry->address, 0});
    require(parse_address_entry(entry->to_string()) == *entry);
  }
}

http::HeaderBlock fields_of_head(std::string_view head) {
  http::HeaderBlock fields;
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    require(end != std::string_view::npos);
    const std::string_view line = head.substr(0, end);
    const std::size_t colon = line.find(": ");
    require(colon != std::string_view::npos);
    fields.append(line.substr(0, colon), line.substr(colon + 2));
    head.remove_prefix(end + 2);
  }
  return fields;
}

void check_two_hops(std::string_view input, const HeaderTrust& trust, const char* name, ListMode mode) {
  const PeerInfo peer = peer_at(net::IpAddress::v4(10, 0, 0, 1));
  const http::HeaderBlock received = as_fields(name, input);
  ClientAddress client;
  if (resolve_client_address(peer, received, trust, client) != ResolveStatus::ok) return;
  require(client.address && !client.hops.empty() && client.hops.back().verdict == HopVerdict::client);
  require(client.hops.back().address.address == *client.address);

  Propagate propagate;
  propagate.x_forwarded_for = propagate.forwarded.mode = mode;
  propagate.forwarded.write_by = propagate.forwarded.write_host = propagate.forwarded.ports = true;
  std::string head;
  for (const http::HeaderBlock::Field field : received) {
    require(!keeps_field(field.id, field.name, trust, client, propagate));
  }
  append_identity_fields(head, received, trust, propagate, {peer, client, "http", "shop.example.com:80"});
  const http::HeaderBlock sent = fields_of_head(head);
  require(sent.count(http::FieldId::x_forwarded_for) == 1 && sent.count(http::FieldId::forwarded) == 1);
  require(sent.count(http::FieldId::via) == 1 && sent.size() == 3);

  ClientAddress next;
  if (resolve_client_address(peer_at(net::IpAddress::v4(10, 0, 0, 9)), sent, trust, next) != ResolveStatus::ok) return;
  require(next.address == client.address);
}

// An open quote, a comma, a backslash: nothing on the left reaches over what a trusted hop added on the right.
void check_left_does_not_matter(std::string_view input, const HeaderTrust& trust, const char* name,
                                std::string_view right) {
  ClientAddress client;
  for (const char* separator : {", ", "\n"}) {
    const std::string text = std::string(input) + separator + std::string(right);
    const http::HeaderBlock fields = as_fields(name, text);
    if (fields.size() == 100) return;
    const auto status = resolve_client_address(peer_at(net::IpAddress::v4(10, 0, 0, 1)), fields, trust, client);
    if (status == ResolveStatus::ok) require(client.address == net::IpAddress::v4(192, 0, 2, 1));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const HeaderTrust xff = trust_in(HeaderTrust::Kind::x_forwarded_for, "x-forwarded-for");
  static const HeaderTrust rfc7239 = trust_in(HeaderTrust::Kind::forwarded, "forwarded");
  const std::string_view input(reinterpret_cast<const char*>(data), size);

  check_parsers(input);
  for (const ListMode mode : {ListMode::append, ListMode::replace}) {
    check_two_hops(input, xff, "X-Forwarded-For", mode);
    check_two_hops(input, rfc7239, "Forwarded", mode);
  }
  check_left_does_not_matter(input, xff, "X-Forwarded-For", "192.0.2.1, 10.0.0.2");
  check_left_does_not_matter(input, rfc7239, "Forwarded", R"(for="192.0.2.1:1";host="a\"b\\,c", for=10.0.0.2)");
  return 0;
}
