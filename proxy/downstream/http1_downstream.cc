#include "proxy/downstream/http1_downstream.h"

#include "protocol/http1/serializer.h"
#include "protocol/http1/syntax.h"

namespace telltale::proxy {

using http::FieldId;

void Http1Downstream::start(Stream& stream, const http1::HeadLimits& limits) {
  stream_ = &stream;
  must_close_ = ends_with_close_ = false;
  parser_.start(request_, limits);
  reader_.start(stream, {}, Http1BodyReader::Chunks::verbatim);
  writer_.start(stream);
}

http1::Status Http1Downstream::feed(std::string_view octets) {
  const auto outcome = parser_.feed(octets);
  if (outcome.status == http1::Status::complete) {
    stream_->unread(octets.substr(outcome.consumed));
    reader_.start(*stream_, request_.body, Http1BodyReader::Chunks::verbatim);
  }
  return outcome.status;
}

void Http1Downstream::stage_interim(const http1::ResponseHead& head) {
  if (request_.minor_version == 0) return;  // RFC 9110 15.2: a 1xx is not for an HTTP/1.0 client
  std::string& out = writer_.staging();
  http1::append_status_line(out, head.status, head.reason);
  for (const auto field : head.fields) {
    if (field.id == FieldId::content_length) continue;  // RFC 9110 8.6: a reader that believed it would wait for a body
    if (!http1::is_hop_by_hop(head.fields, field.id, field.name)) http1::append_field(out, field.name, field.value);
  }
  out.append("\r\n");
}

void Http1Downstream::stage_response(const OutgoingResponse& response) {
  must_close_ = !response.keep_alive;
  std::string& out = writer_.staging();
  http1::append_status_line(out, response.status,
                            response.reason.empty() ? http1::reason_phrase(response.status) : response.reason);
  if (response.fields != nullptr) {
    for (const auto field : *response.fields) {
      if (field.id == FieldId::content_length) continue;  // written by append_framing
      if (http1::is_hop_by_hop(*response.fields, field.id, field.name)) continue;
      if (!response.hsts.empty() && http1::iequals(field.name, "Strict-Transport-Security")) continue;
      http1::append_field(out, field.name, field.value);
    }
  }
  out.append(response.extra_fields);
  out.append(response.hsts);
  append_framing(response);
  append_connection(response);
  out.append("\r\n");
  if (must_close_ && response.close_follows) writer_.set_close_follows();
}

Progress Http1Downstream::write_body(BodyPiece&& piece, const http::HeaderBlock& trailers) {
  // The end of a response can wait for its turn; but who pipelines shall not wait a pass for each.
  const bool in_turn = piece.last && !stream_->has_unread();
  return writer_.write(std::move(piece), trailers, in_turn ? Http1Writer::Leave::in_turn : Http1Writer::Leave::at_once);
}

void Http1Downstream::append_framing(const OutgoingResponse& response) {
  std::string& out = writer_.staging();
  if (response.status == 101 || response.status == 204) return;  // RFC 9110 8.6: no Content-Length
  if (request_.method == http1::Method::head || response.status == 304) {
    // What a GET would have got, if upstream said so.
    if (response.fields == nullptr) {
      http1::append_framing(out, response.body, true);
    } else if (const auto length = response.fields->first(FieldId::content_length)) {
      http1::append_field(out, "Content-Length", *length);
    }
    return;
  }
  switch (response.body.kind) {
    case http1::Framing::none:
    case http1::Framing::content_length:
      http1::append_framing(out, {http1::Framing::content_length, response.body.length}, true);
      return;
    case http1::Framing::chunked:
    case http1::Framing::until_close:
      // An unframed body gets chunks: the client can tell a whole one from a cut one, and the connection goes on.
      if (request_.minor_version >= 1) {
        http1::append_framing(out, {http1::Framing::chunked, 0}, false);
        writer_.set_framing(Http1Writer::Framing::chunked);
      } else {
        must_close_ = ends_with_close_ = true;
      }
      return;
  }
}

void Http1Downstream::append_connection(const OutgoingResponse& response) {
  std::string& out = writer_.staging();
  if (response.status == 101 && response.fields != nullptr) {
    http1::append_field(out, "Connection", "upgrade");
    for (const auto field : *response.fields) {
      if (field.id == FieldId::upgrade) http1::append_field(out, "Upgrade", field.value);
    }
  } else if (must_close_) {
    http1::append_field(out, "Connection", "close");
  } else if (request_.minor_version == 0) {
    http1::append_field(out, "Connection", "keep-alive");  // HTTP/1.0 closes unless told otherwise
  }
}

void Http1Downstream::become_tunnel() {
  reader_.start(*stream_, {http1::Framing::until_close, 0}, Http1BodyReader::Chunks::verbatim);
  writer_.set_framing(Http1Writer::Framing::tunnel);
  must_close_ = true;
}

}  // namespace telltale::proxy
