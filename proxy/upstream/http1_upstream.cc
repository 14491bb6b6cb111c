#include "proxy/upstream/http1_upstream.h"

#include <boost/asio/error.hpp>

#include <utility>

namespace telltale::proxy {

Http1Upstream::Http1Upstream() = default;

void Http1Upstream::start(std::unique_ptr<UpstreamConnection> connection) {
  connection_ = std::move(connection);
  writer_.start(connection_->stream);
  received_any_ = false;
  surplus_ = {};
  head_error_.clear();
}

void Http1Upstream::set_request_framing(http1::Framing framing) {
  writer_.set_framing(framing == http1::Framing::chunked ? Http1Writer::Framing::chunked : Http1Writer::Framing::plain);
}

void Http1Upstream::expect_response(http1::ResponseHead& head, const http1::HeadLimits& limits,
                                    http1::ResponseContext context) {
  parser_.start(head, limits, context);
  // After an interim head the next one may be here already.
  if (connection_) connection_->stream.unread(std::exchange(surplus_, {}));
}

Progress Http1Upstream::read_head() {
  for (;;) {
    const ReadResult got = connection_->stream.read();
    if (got.error == boost::asio::error::would_block) return Progress::blocked;
    if (got.error) {
      head_error_ = got.error;
      return Progress::failed;
    }
    received_any_ = true;
    const auto outcome = parser_.feed(got.octets);
    if (outcome.status == http1::Status::need_more) continue;
    if (outcome.status == http1::Status::failed) {
      head_error_ = parser_.error();
      return Progress::failed;
    }
    surplus_ = got.octets.substr(outcome.consumed);
    return Progress::done;
  }
}

void Http1Upstream::start_body(const http1::ResponseHead& head, Http1BodyReader::Chunks chunks) {
  reader_.start(connection_->stream, head.body, chunks, std::exchange(surplus_, {}));
}

void Http1Upstream::become_tunnel() {
  reader_.start(connection_->stream, {http1::Framing::until_close, 0}, Http1BodyReader::Chunks::verbatim,
                std::exchange(surplus_, {}));
  writer_.set_framing(Http1Writer::Framing::tunnel);
}

std::unique_ptr<UpstreamConnection> Http1Upstream::finish() {
  writer_.release_memory();
  return std::move(connection_);
}

void Http1Upstream::close() {
  writer_.release_memory();
  connection_.reset();
}

}  // namespace telltale::proxy
