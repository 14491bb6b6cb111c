#pragma once

#include "protocol/http1/parser.h"
#include "proxy/message/http1_body.h"
#include "proxy/upstream/connection_pool.h"

#include <memory>
#include <string>

namespace telltale::proxy {

/// The backend's side of one exchange over HTTP/1.1: head staged as text, response head parsed, bodies both ways.
/// Reused from one exchange to the next.
class Http1Upstream final : public MessageSide {
 public:
  Http1Upstream();

  /// Takes the connection for one exchange.
  void start(std::unique_ptr<UpstreamConnection> connection);
  bool is_open() const { return connection_ != nullptr; }
  UpstreamConnection& connection() { return *connection_; }
  const UpstreamConnection& connection() const { return *connection_; }

  /// The request head is appended here; it leaves with the first body piece or flush().
  std::string& staging() { return writer_.staging(); }
  void set_request_framing(http1::Framing framing);

  void expect_response(http1::ResponseHead& head, const http1::HeadLimits& limits, http1::ResponseContext context);
  /// Reads up to the end of one head, interim or final. After an interim one call expect_response() again.
  Progress read_head();
  /// At once after a final head: how its body will be lent.
  void start_body(const http1::ResponseHead& head, Http1BodyReader::Chunks chunks);

  Progress read_body(BodyPiece& piece, Pipes pipes) override { return reader_.read(piece, pipes); }
  const http::HeaderBlock& trailers() const override { return reader_.trailers(); }
  Readiness& input() override { return connection_->stream.descriptor().input(); }
  boost::system::error_code read_error() const override { return head_error_ ? head_error_ : reader_.error(); }

  Progress write_body(BodyPiece&& piece, const http::HeaderBlock& trailers) override {
    return writer_.write(std::move(piece), trailers);
  }
  Pipes takes_pipes() const override { return writer_.takes_pipes(); }
  Progress flush() override { return writer_.flush(); }
  Readiness& output() override { return connection_->stream.descriptor().turn_to_write(); }
  boost::system::error_code write_error() const override { return writer_.error(); }
  bool sent_any() const { return writer_.sent_any(); }
  bool has_pending() const { return writer_.has_pending(); }
  /// Whether any octet of a response came.
  bool received_any() const { return received_any_; }

  void expires_after(std::chrono::milliseconds duration) override { connection_->stream.expires_after(duration); }
  void expires_never() override { connection_->stream.expires_never(); }
  void become_tunnel() override;

  /// The response is complete: the connection for the pool, or nullptr if it was closed.
  std::unique_ptr<UpstreamConnection> finish();
  void close();

 private:
  std::unique_ptr<UpstreamConnection> connection_;
  http1::ResponseParser parser_;
  Http1BodyReader reader_;
  Http1Writer writer_;
  bool received_any_ = false;
  std::string_view surplus_;  // what came after the head in the same read
  boost::system::error_code head_error_;
};

}  // namespace telltale::proxy
