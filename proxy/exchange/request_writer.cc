#include "proxy/exchange/request_writer.h"

#include "protocol/forwarding/identity_headers.h"
#include "protocol/http1/serializer.h"

namespace telltale::proxy {

std::string address_aimed_at(const forwarding::PeerInfo& peer) {
  return peer.destination() ? peer.destination()->to_string() : "localhost";
}

void keep_trailers(const http::HeaderBlock& received, const forwarding::HeaderTrust& trust,
                   http1::UnderscorePolicy underscores, const forwarding::Propagate& propagate,
                   http::HeaderBlock& kept) {
  kept.clear();
  for (const auto field : received) {
    if (!forwarding::keeps_trailer(field.id, field.name, trust, propagate)) continue;
    if (underscores != http1::UnderscorePolicy::pass && !forwarding::is_real_name(field.name)) continue;
    kept.append(field.name, field.value);
  }
}

void append_request_head(std::string& out, const http1::RequestHead& request, const forwarding::HeaderTrust& trust,
                         const forwarding::Propagate& propagate, const forwarding::RequestFacts& facts) {
  using http::FieldId;
  if (request.authority.empty()) {
    http1::append_request_line(out, request, address_aimed_at(facts.peer));
  } else {
    http1::append_request_line(out, request);
  }
  for (const auto field : request.fields) {
    if (field.id == FieldId::host || field.id == FieldId::content_length) continue;  // written anew
    if (http1::is_hop_by_hop(request.fields, field.id, field.name)) continue;
    if (!forwarding::keeps_field(field.id, field.name, trust, facts.client, propagate)) continue;
    http1::append_field(out, field.name, field.value);
  }
  forwarding::append_identity_fields(out, request.fields, trust, propagate, facts);
  if (request.wants_upgrade) {
    http1::append_field(out, "Connection", "upgrade");
    for (const auto field : request.fields) {
      if (field.id == FieldId::upgrade) http1::append_field(out, "Upgrade", field.value);
    }
  }
  http1::append_framing(out, request.body, request.fields.has(FieldId::content_length));
  out.append("\r\n");
}

}  // namespace telltale::proxy
