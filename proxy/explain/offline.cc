#include "proxy/explain/offline.h"

#include "protocol/forwarding/asserted_client.h"
#include "protocol/forwarding/list.h"
#include "protocol/http1/parser.h"
#include "protocol/http1/serializer.h"
#include "protocol/proxy_protocol/parser.h"
#include "proxy/downstream/diagnosis.h"
#include "proxy/downstream/proxy_headers.h"
#include "proxy/explain/explainer.h"

#include <algorithm>

namespace telltale::proxy {
namespace {

using proxy_protocol::Parser;

/// Identifiers that a process draws are other ones each time: these stand for them.
constexpr forwarding::ObfuscationKey sample_key{1, 2};
constexpr std::uint64_t sample_number = 1;

bool has_identifiers(const forwarding::NodeName& name) {
  using Form = forwarding::NodeName::Form;
  return name.form == Form::per_connection || name.form == Form::per_process;
}

forwarding::PeerInfo peer_of(const conf::Listener& listener, const OfflineRequest& request, Explanation& out) {
  forwarding::PeerInfo peer;
  peer.socket_peer = request.peer;
  peer.socket_local = request.local ? request.local : listener.listen.ip;
  if (!request.local && peer.socket_local && peer.socket_local->address.is_unspecified()) {
    out.notes.push_back("the address that the client aimed at was not given (--local): " +
                        peer.socket_local->to_string() + " stands for it");
  }
  return peer;
}

/// For show: what the headers say, whether they are believed or not.
void decode_headers(const conf::ClientIp& client_ip, std::string_view octets, Explanation& out) {
  while (!octets.empty()) {
    Parser parser(client_ip.proxy_max_header_bytes);
    const auto outcome = parser.feed(octets);
    const bool is_whole = outcome.status == Parser::Status::complete;
    const std::size_t size = is_whole ? outcome.consumed : octets.size();
    out.proxy_headers.push_back(explain_proxy_header(octets.substr(0, size)));
    octets.remove_prefix(size);
  }
}

void close(const ProxyHeaders& headers, const conf::ClientIp& client_ip, const conf::ProxyProtocolRule& rule,
           const forwarding::PeerInfo& peer, Explanation& out) {
  out.outcome = Explanation::Outcome::closed;
  out.cause = to_string(headers.problem().cause);
  out.why = explain_proxy_problem(headers.problem(), client_ip, rule, peer);
}

/// Takes what belongs to PROXY headers off the octets of a connection, of which `proxy_size` are meant for some. False:
/// the connection is closed.
bool run_phase(const conf::ClientIp& client_ip, const conf::ProxyProtocolRule& rule, forwarding::PeerInfo& peer,
               std::string& octets, std::size_t proxy_size, Explanation& out) {
  using Status = ProxyHeaders::Status;
  ProxyHeaders headers(client_ip, rule, peer);
  const std::string_view all = octets;
  std::string_view piece = all.substr(0, proxy_size);
  Status status = piece.empty() ? Status::need_more : headers.feed(piece);
  if (status == Status::need_more) {
    const bool is_half = !headers.buffered().empty();  // a request behind it would be taken for its rest
    piece = is_half ? std::string_view() : all.substr(proxy_size);
    status = is_half ? headers.end(true) : headers.feed(piece);
    proxy_size = all.size();
  }
  if (status != Status::done) {
    close(headers, client_ip, rule, peer, out);
    return false;
  }
  const std::size_t fed = std::min(proxy_size, all.size());
  std::string rest = std::string(headers.buffered()) + std::string(piece.substr(headers.consumed()));
  octets = rest + octets.substr(fed);
  return true;
}

std::string request_octets(const OfflineRequest& request) {
  std::string out = request.method + " " + request.path + " HTTP/1.1\r\n";
  http1::append_field(out, "Host", request.host.value_or("localhost"));
  for (const auto& line : request.headers) out.append(line).append("\r\n");
  return out.append("\r\n");
}

/// The fields that the parser left out, as they were given: aliases of known fields, and what limits.underscores drops.
void explain_dropped(const OfflineRequest& request, const http1::RequestHead& head, Explanation& out) {
  for (const auto& line : request.headers) {
    const std::string_view name = std::string_view(line).substr(0, line.find(':'));
    if (name.find('_') == std::string_view::npos) continue;
    const auto value = forwarding::trim_ows(std::string_view(line).substr(std::min(line.size(), name.size() + 1)));
    const bool is_there = std::ranges::any_of(head.fields, [&](const auto& field) { return field.name == name; });
    if (is_there) continue;
    const http::FieldId id = http::field_id(name);
    const std::string why = id == http::FieldId::other ? "`_` in its name (limits.underscores)"
                                                       : "a backend may take it for " +
                                                             std::string(http::field_name(id)) + ": never passed on";
    out.removed.push_back({std::string(name), std::string(value), why});
  }
}

void explain_head(const conf::Model& model, const conf::Listener& listener, const forwarding::PeerInfo& peer,
                  const OfflineRequest& given, std::string_view octets, Explanation& out) {
  http1::RequestParser parser;
  http1::RequestHead head;
  parser.start(head, listener.limits.head);
  const http1::Status status = parser.feed(octets).status;
  if (status != http1::Status::complete) {
    const auto error =
        status == http1::Status::failed ? parser.error() : http1::make_error_code(http1::Error::malformed);
    const unsigned code = http1::status_for(error);
    out.outcome = Explanation::Outcome::answered;
    out.why = std::to_string(code) + " " + std::string(http1::reason_phrase(code)) + ": " + error.message();
    return;
  }
  const RouteTable routes(listener.routes);
  explain_request({.model = model,
                   .listener = listener,
                   .routes = routes,
                   .peer = peer,
                   .request = head,
                   .keys = given.keys,
                   .now = given.now,
                   .not_judged = given.not_judged,
                   .connection_number = sample_number,
                   .obfuscation_key = sample_key},
                  out);
  for (const auto& service : model.services) {
    const auto& forwarded = service.propagate.forwarded;
    if (service.name != out.service) continue;
    if (has_identifiers(forwarded.for_name) || has_identifiers(forwarded.by_name)) {
      out.notes.emplace_back("obfuscated identifiers are samples: each process draws its own");
    }
  }
  explain_dropped(given, head, out);
}

}  // namespace

Explanation explain_offline(const conf::Model& model, std::size_t listener_index, const OfflineRequest& request) {
  const conf::Listener& listener = model.listeners[listener_index];
  const conf::ClientIp& client_ip = listener.client_ip;
  Explanation out;
  forwarding::PeerInfo peer = peer_of(listener, request, out);
  decode_headers(client_ip, request.proxy_octets, out);
  if (!request.host) out.notes.emplace_back("no --host was given: localhost stands for it");

  // The way of a connection: run_connection() and serve_http1().
  std::string octets = request.proxy_octets + request_octets(request);
  const auto& rule = proxy_rule_for(client_ip, peer.socket_peer);
  bool go_on = rule.policy == conf::ProxyPolicy::forbid ||
               run_phase(client_ip, rule, peer, octets, request.proxy_octets.size(), out);
  if (go_on && starts_like_proxy_header(octets)) {
    const bool is_forbidden = rule.policy == conf::ProxyPolicy::forbid;
    go_on = run_phase(client_ip, is_forbidden ? rule : forbidding_proxy_rule(), peer, octets, octets.size(), out);
  }
  if (client_ip.assertion) forwarding::date_assertion(peer, client_ip.assertion->tlv, request.now);
  explain_connection(listener, peer, out);
  if (go_on) explain_head(model, listener, peer, request, octets, out);
  return out;
}

}  // namespace telltale::proxy
