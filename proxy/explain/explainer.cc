#include "proxy/explain/explainer.h"

#include "protocol/forwarding/asserted_client.h"
#include "protocol/forwarding/identity_headers.h"
#include "protocol/forwarding/propagate.h"
#include "protocol/http1/serializer.h"
#include "protocol/proxy_protocol/parser.h"
#include "protocol/proxy_protocol/tlv_names.h"
#include "proxy/exchange/dropped_assertion.h"
#include "proxy/exchange/failure.h"
#include "proxy/exchange/identify.h"
#include "proxy/exchange/local_reply.h"
#include "proxy/exchange/proxy_prologue.h"
#include "proxy/exchange/request_recorder.h"
#include "proxy/exchange/request_writer.h"
#include "proxy/explain/explain_hops.h"

#include <algorithm>
#include <utility>

namespace telltale::proxy {
namespace {

using forwarding::HeaderTrust;

std::string text_of(const std::optional<net::IpPort>& address) {
  return address ? address->to_string() : std::string();
}

/// The signed assertions, by their verdicts then, or by those of the data path's own judge.
void explain_assertion(const ExplainedRequest& input, forwarding::ClientAddress& client, Explanation& out) {
  const auto& trust = input.listener.client_ip.assertion;
  if (input.asserted || !input.assertion_refusals.empty()) {
    for (const auto reason : input.assertion_refusals) {
      client.rejected.push_back({std::string(RecordedRequest::not_kept), reason});
    }
    if (input.asserted) forwarding::believe_assertion(*input.asserted, client);
    return;
  }
  const bool is_in_head = forwarding::has_assertion(input.request.fields);
  if (!trust || (!is_in_head && input.peer.assertion_came == 0)) return;
  if (input.keys == nullptr) {
    out.notes.push_back("a signed assertion came (" + assertion_place(is_in_head ? 0 : trust->tlv) +
                        ") and was not judged: " + std::string(input.not_judged) +
                        ". If it is valid, the client is who it names");
    return;
  }
  const forwarding::AssertionCheck check{
      .keys = *input.keys, .window = trust->window, .now = input.now, .authority = input.request.authority};
  if (forwarding::apply_assertion(input.request.fields, check, client) != assertion::Verdict::valid) {
    forwarding::apply_tlv_assertion(input.peer, trust->tlv, check, client);
  }
}

/// Why an identity field does not go on as it came.
std::string why_removed(const http::HeaderBlock::Field& field, const HeaderTrust& trust,
                        const forwarding::ClientAddress& client) {
  if (field.id == http::FieldId::x_telltale_client) return "an assertion goes no further than to where it was judged";
  if (!client.header_believed) return "from a hop that is not in client_ip.trusted";
  if (forwarding::is_believed_header(field.id, field.name, trust)) return "read, and written anew by propagate";
  if (trust.kind == HeaderTrust::Kind::none) return "no header is believed (client_ip.header: none)";
  switch (field.id) {
    case http::FieldId::x_forwarded_proto:
    case http::FieldId::x_forwarded_host:
    case http::FieldId::x_forwarded_port:
      return "read beside " + trust.name + ", and written anew";
    default:
      return "only " + trust.name + " is believed (client_ip.header)";
  }
}

void explain_removed(const ExplainedRequest& input, const forwarding::ClientAddress& client,
                     const forwarding::Propagate& propagate, Explanation& out) {
  const HeaderTrust& trust = input.listener.client_ip.header;
  for (const auto field : input.request.fields) {
    if (!forwarding::is_identity_name(field.id, field.name, trust)) continue;
    if (forwarding::keeps_field(field.id, field.name, trust, client, propagate)) continue;
    out.removed.push_back({std::string(field.name), std::string(field.value), why_removed(field, trust, client)});
  }
}

void explain_backends(const conf::Service& service, Explanation& out) {
  const auto add = [&](const conf::Endpoint& endpoint, const std::string& node) {
    out.backends.push_back({endpoint.address.to_string(), node});
  };
  for (const auto& node : service.nodes) {
    for (const auto& endpoint : node.endpoints) add(endpoint, node.name);
    if (!node.endpoints.empty()) continue;
    const auto port = node.port ? node.port : service.port;
    const auto address = net::IpAddress::parse(node.host);
    if (address && port) out.backends.push_back({net::IpPort{*address, *port}.to_string(), node.name});
  }
  for (const auto& endpoint : service.endpoints) add(endpoint, {});
}

std::vector<std::string> lines_of(std::string_view head) {
  std::vector<std::string> lines;
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    if (!line.empty()) lines.emplace_back(line);
    head.remove_prefix(std::min(head.size(), line.size() + 2));
  }
  return lines;
}

void explain_reply(const LocalReply& reply, std::string what, Explanation& out) {
  out.outcome = Explanation::Outcome::answered;
  out.why =
      std::to_string(reply.status) + " " + std::string(http1::reason_phrase(reply.status)) + ": " + std::move(what);
}

void explain_told(const ExplainedRequest& input, const forwarding::RequestFacts& facts, const conf::Service& service,
                  Explanation& out) {
  const auto& propagate = service.propagate;
  if (propagate.proxy_protocol) {
    std::string octets, identity;
    if (!append_proxy_prologue(propagate, facts, octets, identity)) {
      const auto too_long = make_error_code(boost::system::errc::message_size);
      const unsigned code = status_for({too_long, Side::proxy, Phase::request_write});
      explain_reply(error_reply(code), "the PROXY header would be too long, and no backend is reached without it", out);
      return;
    }
    out.told_proxy_header = explain_proxy_header(octets);
    if (std::ranges::find(propagate.tlvs, proxy_protocol::TlvType::unique_id) != propagate.tlvs.end()) {
      out.notes.emplace_back("unique_id is the id of the request for which the connection to the backend was opened");
    }
  }
  if (propagate.transparent_source) out.notes.emplace_back("the connection comes from the client's own address");
  if (propagate.assertion && propagate.assertion->header) {
    out.notes.emplace_back("X-Telltale-Client is signed when the request is sent");
  }
  if (propagate.assertion && propagate.assertion->tlv != 0) {
    out.notes.emplace_back("a TLV with a signed assertion is added when the connection to the backend is opened");
  }
  std::string head;
  append_request_head(head, input.request, input.listener.client_ip.header, propagate, facts);
  out.told_lines = lines_of(head);
}

/// False: the request goes to no service.
bool explain_route(const ExplainedRequest& input, const conf::Route* route, Explanation& out) {
  if (route == nullptr) {
    explain_reply(error_reply(404), "no route for this host and path", out);
    return false;
  }
  out.route = route->name;
  if (route->redirect) {
    const LocalReply reply =
        redirect_reply(*route->redirect, input.request, address_aimed_at(input.peer), input.listener.scheme());
    explain_reply(reply, "the route redirects; " + lines_of(reply.fields).front(), out);
    return false;
  }
  if (route->respond) {
    explain_reply(fixed_reply(*route->respond), "the route's fixed answer", out);
    return false;
  }
  out.service = input.model.services[*route->service].name;
  return true;
}

/// What routes, templates, the SSL TLV and X-Forwarded-Client-Cert go by.
Explanation::Tls explain_tls(const forwarding::TlsFacts& tls) {
  Explanation::Tls out{.version = std::string(tls.version),
                       .cipher = std::string(tls.cipher),
                       .sni = std::string(tls.sni),
                       .alpn = std::string(tls.alpn),
                       .resumed = tls.resumed};
  if (tls.client_cert == nullptr) return out;
  out.client_verified = true;
  out.client_subject = tls.client_cert->subject;
  out.client_fingerprint = tls.client_cert->fingerprint;
  out.client_sans = tls.client_cert->sans;
  return out;
}

void add_tlvs(std::string_view section, Explanation::ProxyHeader& out) {
  std::vector<std::uint8_t> named;
  for (const auto& each : proxy_protocol::named_tlvs()) {
    std::string text;
    if (!proxy_protocol::append_tlv_text(text, section, each.selector)) continue;
    out.tlvs.emplace_back(each.name, std::move(text));
    named.push_back(static_cast<std::uint8_t>(each.selector.type));
  }
  for (const proxy_protocol::Tlv& tlv : proxy_protocol::TlvRange(section)) {
    const auto type = static_cast<std::uint8_t>(tlv.type);
    if (std::find(named.begin(), named.end(), type) != named.end()) continue;
    proxy_protocol::TlvSelector selector{tlv.type};
    std::string text;
    proxy_protocol::append_tlv_value(text, tlv.value, selector);
    out.tlvs.emplace_back(proxy_protocol::tlv_name(selector), std::move(text));
  }
}

}  // namespace

Explanation::ProxyHeader explain_proxy_header(std::string_view octets) {
  Explanation::ProxyHeader out;
  out.octets = octets;
  proxy_protocol::Parser parser(octets.size());
  if (parser.feed(octets).status != proxy_protocol::Parser::Status::complete) return out;
  const proxy_protocol::Header& header = parser.header();
  out.version = header.version == proxy_protocol::Version::v1 ? "v1" : "v2";
  const bool is_local = header.command == proxy_protocol::Command::local;
  out.command = !is_local ? "PROXY" : header.version == proxy_protocol::Version::v1 ? "UNKNOWN" : "LOCAL";
  out.source = header.source ? header.source->to_string() : header.source_path;
  out.destination = header.destination ? header.destination->to_string() : header.destination_path;
  add_tlvs(header.tlvs, out);
  return out;
}

void explain_connection(const conf::Listener& listener, const forwarding::PeerInfo& peer, Explanation& out) {
  out.listener = listener.name;
  out.listen = listener.listen.to_string();
  out.peer = peer.socket_peer ? peer.socket_peer->to_string() : "unix";
  out.destination = text_of(peer.destination());
  forwarding::ClientAddress client;
  const http::HeaderBlock none;
  forwarding::resolve_client_address(peer, none, listener.client_ip.header, client);
  explain_hops(listener, peer, none, client, out);
}

void explain_request(const ExplainedRequest& input, Explanation& out) {
  const auto& request = input.request;
  explain_connection(input.listener, input.peer, out);
  if (input.tls != nullptr) out.tls = explain_tls(*input.tls);
  out.request = request.method_text + " " + request.target;

  forwarding::ClientAddress client;
  const auto refused = identify_client(input.listener, input.peer, request, client);
  if (!refused) explain_assertion(input, client, out);
  explain_hops(input.listener, input.peer, request.fields, client, out);
  if (refused) {
    explain_reply(error_reply(400), refused.message(), out);
    return;
  }
  const conf::Route* route = input.routes.match(request.host(), request.path(), {input.peer.tlvs, input.tls});
  if (!explain_route(input, route, out)) return;

  const conf::Service& service = input.model.services[*route->service];
  const forwarding::RequestFacts facts{.peer = input.peer,
                                       .client = client,
                                       .scheme = input.listener.scheme(),
                                       .host = request.authority,
                                       .http_minor = request.minor_version,
                                       .method = request.method_text,
                                       .target = request.target,
                                       .listener = input.listener.name,
                                       .id_high = input.id_high,
                                       .id_low = input.id_low,
                                       .connection_number = input.connection_number,
                                       .obfuscation_key = &input.obfuscation_key,
                                       .tls = input.tls};
  explain_removed(input, client, service.propagate, out);
  explain_backends(service, out);
  explain_told(input, facts, service, out);
}

}  // namespace telltale::proxy
