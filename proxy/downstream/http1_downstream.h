#pragma once

#include "protocol/http1/parser.h"
#include "proxy/exchange/downstream_side.h"
#include "proxy/message/http1_body.h"

#include <string>

namespace telltale::proxy {

/// The client's side of one exchange over HTTP/1.x. Reused from one request to the next.
class Http1Downstream final : public DownstreamSide {
 public:
  void start(Stream& stream, const http1::HeadLimits& limits);

  /// Takes octets of the head; what belongs to the body or the next request is put back.
  http1::Status feed(std::string_view octets);
  bool head_started() const { return parser_.started(); }
  boost::system::error_code head_error() const { return parser_.error(); }
  /// The response left with `Connection: close`, or must end with a close.
  bool must_close() const { return must_close_; }
  /// The response under way has no length of its own: only the end of the connection ends it.
  bool ends_with_close() const { return ends_with_close_; }
  void release_memory() { writer_.release_memory(); }

  const http1::RequestHead& request() const override { return request_; }
  std::string_view protocol() const override { return request_.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1"; }
  bool request_complete() const override { return reader_.finished(); }
  std::uint64_t body_octets_received() const override { return reader_.payload_octets(); }
  std::uint64_t body_octets_sent() const override { return writer_.payload_octets(); }
  void stage_response(const OutgoingResponse& response) override;
  void stage_interim(const http1::ResponseHead& head) override;
  bool takes_chunks() const override { return request_.minor_version >= 1; }
  bool broken() const override { return stream_->descriptor().broken(); }
  void abort_with(Descriptor* upstream) override { stream_->descriptor().set_dependent(upstream); }

  Progress read_body(BodyPiece& piece, Pipes pipes) override { return reader_.read(piece, pipes); }
  const http::HeaderBlock& trailers() const override { return reader_.trailers(); }
  Readiness& input() override { return stream_->descriptor().input(); }
  boost::system::error_code read_error() const override { return reader_.error(); }
  Progress write_body(BodyPiece&& piece, const http::HeaderBlock& trailers) override;
  Pipes takes_pipes() const override { return writer_.takes_pipes(); }
  Progress flush() override { return writer_.flush(); }
  Readiness& output() override { return stream_->descriptor().turn_to_write(); }
  boost::system::error_code write_error() const override { return writer_.error(); }
  void expires_after(std::chrono::milliseconds duration) override { stream_->expires_after(duration); }
  void expires_never() override { stream_->expires_never(); }
  void become_tunnel() override;

 private:
  void append_connection(const OutgoingResponse& response);
  void append_framing(const OutgoingResponse& response);

  Stream* stream_ = nullptr;
  http1::RequestHead request_;
  http1::RequestParser parser_;
  Http1BodyReader reader_;
  Http1Writer writer_;
  bool must_close_ = false;
  bool ends_with_close_ = false;
};

}  // namespace telltale::proxy
