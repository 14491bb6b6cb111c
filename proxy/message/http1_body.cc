#include "proxy/message/http1_body.h"

#include "protocol/http1/parser.h"
#include "protocol/http1/serializer.h"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace telltale::proxy {

// ---- reader ----

void Http1BodyReader::start(Stream& stream, http1::BodyFraming framing, Chunks chunks, std::string_view first) {
  stream_ = &stream;
  framing_ = framing;
  chunks_ = chunks;
  remaining_ = framing.length;
  payload_octets_ = 0;
  error_.clear();
  finished_ =
      framing.kind == http1::Framing::none || (framing.kind == http1::Framing::content_length && remaining_ == 0);
  decoder_.reset();
  first_ = first;
  if (finished_) stream.unread(std::exchange(first_, {}));
}

Progress Http1BodyReader::fail(boost::system::error_code error) {
  error_ = error;
  return Progress::failed;
}

Progress Http1BodyReader::read(BodyPiece& piece) {
  piece = {};
  if (finished_) {
    piece.last = true;
    return Progress::done;
  }
  const ReadResult got = first_.empty() ? stream_->read() : ReadResult{std::exchange(first_, {}), {}};
  if (got.error == boost::asio::error::would_block) return Progress::blocked;
  if (got.error == boost::asio::error::eof && framing_.kind == http1::Framing::until_close) {
    finished_ = piece.last = true;
    return Progress::done;
  }
  if (got.error) return fail(got.error);

  switch (framing_.kind) {
    case http1::Framing::chunked:
      return read_chunked(piece, got.octets);
    case http1::Framing::content_length: {
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, got.octets.size()));
      piece.octets = got.octets.substr(0, size);
      stream_->unread(got.octets.substr(size));
      remaining_ -= size;
      finished_ = piece.last = remaining_ == 0;
      break;
    }
    default:
      piece.octets = got.octets;
  }
  payload_octets_ += piece.octets.size();
  return Progress::done;
}

Progress Http1BodyReader::read_chunked(BodyPiece& piece, std::string_view octets) {
  decoded_.clear();
  const auto outcome = decoder_.feed(octets, chunks_ == Chunks::decoded ? &decoded_ : nullptr);
  payload_octets_ = decoder_.payload_octets();
  if (outcome.status == http1::Status::failed) return fail(decoder_.error());
  piece.chunk_coded = chunks_ == Chunks::verbatim;
  piece.octets = piece.chunk_coded ? octets.substr(0, outcome.verbatim) : std::string_view(decoded_);
  if (outcome.status == http1::Status::complete) {
    finished_ = piece.last = true;
    stream_->unread(octets.substr(outcome.consumed));
  }
  return Progress::done;
}

// ---- writer ----

void Http1Writer::start(Stream& stream) {
  stream_ = &stream;
  out_.clear();
  sent_ = 0;
  framing_ = Framing::plain;
  sent_any_ = half_close_ = close_follows_ = false;
  next_ = Stream::Next::whenever;
  payload_octets_ = 0;
  error_.clear();
}

void Http1Writer::release_memory() {
  out_.clear();
  sent_ = 0;
  if (out_.capacity() > kept_capacity) out_.shrink_to_fit();
}

Progress Http1Writer::write(const BodyPiece& piece, const http::HeaderBlock& trailers, Leave leave) {
  std::string_view octets = piece.octets;
  payload_octets_ += octets.size();
  if (framing_ == Framing::chunked && !piece.chunk_coded) {
    if (!octets.empty()) {
      char size[16];
      const auto end = std::to_chars(size, size + sizeof size, octets.size(), 16).ptr;
      out_.append(size, end).append("\r\n");
      out_.append(octets).append("\r\n");
    }
    if (piece.last) out_.append("0\r\n");
    octets = {};
  }
  if (framing_ == Framing::chunked && piece.last) {
    // The verbatim part ends with the line of the last chunk; the trailer section is ours.
    out_.append(octets);
    octets = {};
    end_chunked(trailers);
  }
  if (framing_ == Framing::tunnel && piece.last) half_close_ = true;
  if (close_follows_ && piece.last) next_ = Stream::Next::at_once;
  if (leave == Leave::in_turn && octets.size() <= copy_limit) {
    out_.append(octets);
    return has_pending() ? Progress::blocked : flush();
  }
  return send_with(octets);
}

void Http1Writer::end_chunked(const http::HeaderBlock& trailers) {
  for (const auto field : trailers) {
    if (http1::trailer_allowed(field.id, field.name)) http1::append_field(out_, field.name, field.value);
  }
  out_.append("\r\n");
}

IoResult Http1Writer::send(std::string_view first, std::string_view second) {
  return stream_->write(first, second, next_);
}

Progress Http1Writer::send_with(std::string_view octets) {
  if (out_.empty() && !octets.empty()) {
    const IoResult result = send(octets);
    if (result.error && result.error != boost::asio::error::would_block) {
      error_ = result.error;
      return Progress::failed;
    }
    sent_any_ |= result.size > 0;
    octets.remove_prefix(result.size);
    if (octets.empty()) return flush();
    out_.assign(octets);
    return Progress::blocked;
  }
  if (sent_ == 0 && octets.size() > copy_limit) {
    const IoResult result = send(out_, octets);
    if (result.error && result.error != boost::asio::error::would_block) {
      error_ = result.error;
      return Progress::failed;
    }
    sent_any_ |= result.size > 0;
    const std::size_t of_staged = std::min(result.size, out_.size());
    octets.remove_prefix(result.size - of_staged);
    sent_ = of_staged;
    out_.append(octets);
    if (!has_pending()) return flush();
    return Progress::blocked;
  }
  out_.append(octets);
  return flush();
}

Progress Http1Writer::flush() {
  while (has_pending()) {
    const IoResult result = send(std::string_view(out_).substr(sent_));
    if (result.error == boost::asio::error::would_block) return Progress::blocked;
    if (result.error) {
      error_ = result.error;
      return Progress::failed;
    }
    sent_any_ = true;
    sent_ += result.size;
    if (has_pending()) return Progress::blocked;  // a short write: the kernel is full
  }
  out_.clear();
  sent_ = 0;
  if (half_close_) {
    half_close_ = false;
    stream_->shutdown_write();
  }
  return Progress::done;
}

}  // namespace telltale::proxy
