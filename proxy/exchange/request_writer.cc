#include "proxy/exchange/request_writer.h"

#include "protocol/http1/serializer.h"

namespace telltale::proxy {

void append_request_head(std::string& out, const http1::RequestHead& request, const forwarding::HeaderTrust& trust,
                         const forwarding::Propagate& propagate, const forwarding::RequestFacts& facts) {
  using http::FieldId;
  http1::append_request_line(out, request);
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
