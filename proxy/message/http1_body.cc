#include "proxy/message/http1_body.h"

#include "protocol/http1/parser.h"
#include "protocol/http1/serializer.h"

#include <boost/asio/error.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace telltale::proxy {
namespace {

/// As much as a read lends: a turn is a number of pieces (Exchange::pieces_per_turn).
constexpr std::size_t max_piped = EventLoop::scratch_size;

}  // namespace

// ---- reader ----

void Http1BodyReader::start(Stream& stream, http1::BodyFraming framing, Chunks chunks, std::string_view first) {
  stream_ = &stream;
  framing_ = framing;
  chunks_ = chunks;
  remaining_ = framing.length;
  payload_octets_ = 0;
  error_.clear();
  bulk_ = {};
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

Progress Http1BodyReader::read(BodyPiece& piece, Pipes pipes) {
  piece = {};
  if (finished_) {
    piece.last = true;
    return Progress::done;
  }
  const boost::system::error_code error = read_octets(piece, pipes);
  if (error == boost::asio::error::would_block) return Progress::blocked;
  if (error == boost::asio::error::eof && framing_.kind == http1::Framing::until_close) {
    finished_ = piece.last = true;
    return Progress::done;
  }
  if (error) return fail(error);

  if (framing_.kind == http1::Framing::chunked) return read_chunked(piece);
  if (framing_.kind == http1::Framing::content_length) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, piece.size()));
    if (!piece.pipe) {
      stream_->unread(piece.octets.substr(size));
      piece.octets = piece.octets.substr(0, size);
    }
    remaining_ -= size;
    finished_ = piece.last = remaining_ == 0;
  }
  payload_octets_ += piece.size();
  return Progress::done;
}

/// What there is, whatever it is.
boost::system::error_code Http1BodyReader::read_octets(BodyPiece& piece, Pipes pipes) {
  if (!first_.empty()) {
    piece.octets = std::exchange(first_, {});
    return {};
  }
  const bool is_new = !stream_->has_unread();
  boost::system::error_code error;
  if (pipes == Pipes::taken && is_new && bulk_.is_bulk() && fill_pipe(piece, error)) return error;
  const ReadResult got = stream_->read();
  piece.octets = got.octets;
  if (is_new) bulk_.copied(framing_.kind != http1::Framing::chunked ? got.octets.size() : 0);
  return got.error;
}

/// False: there is no pipe, or nothing that is worth one.
bool Http1BodyReader::fill_pipe(BodyPiece& piece, boost::system::error_code& error) {
  const std::uint64_t limit = framing_.kind == http1::Framing::content_length ? remaining_ : max_piped;
  if (limit < BulkMeter::bulk_bytes || stream_->tls() != nullptr) return false;
  if (pipes_ == nullptr) pipes_ = &PipePool::of(stream_->descriptor().loop());
  piece.pipe = pipes_->take();
  if (!piece.pipe) return false;
  const IoResult got = piece.pipe->fill(*stream_, static_cast<std::size_t>(std::min<std::uint64_t>(limit, max_piped)));
  if (!got.error) {
    bulk_.piped(got.size);
    return true;
  }
  piece.pipe.reset();
  bulk_.paused();
  error = got.error;
  return error != boost::system::errc::invalid_argument;  // a socket that is not for it
}

Progress Http1BodyReader::read_chunked(BodyPiece& piece) {
  const std::string_view octets = piece.octets;
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
  pipe_.reset();
  out_.clear();
  sent_ = 0;
  framing_ = Framing::plain;
  sent_any_ = half_close_ = close_follows_ = false;
  next_ = Stream::Next::whenever;
  payload_octets_ = 0;
  error_.clear();
}

void Http1Writer::release_memory() {
  pipe_.reset();
  out_.clear();
  sent_ = 0;
  if (out_.capacity() > kept_capacity) out_.shrink_to_fit();
}

Progress Http1Writer::write(BodyPiece&& piece, const http::HeaderBlock& trailers, Leave leave) {
  std::string_view octets = piece.octets;
  payload_octets_ += piece.size();
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
  if (piece.pipe) {
    pipe_ = std::move(piece.pipe);
    return flush();
  }
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
  while (sent_ < out_.size()) {
    const IoResult result = send(std::string_view(out_).substr(sent_));
    if (result.error == boost::asio::error::would_block) return Progress::blocked;
    if (result.error) {
      error_ = result.error;
      return Progress::failed;
    }
    sent_any_ = true;
    sent_ += result.size;
    if (sent_ < out_.size()) return Progress::blocked;  // a short write: the kernel is full
  }
  out_.clear();
  sent_ = 0;
  if (pipe_) {
    const IoResult result = pipe_->drain(*stream_);
    if (result.error && result.error != boost::asio::error::would_block) {
      error_ = result.error;
      return Progress::failed;
    }
    sent_any_ |= result.size > 0;
    if (pipe_->size() > 0) return Progress::blocked;
    pipe_.reset();
  }
  if (half_close_) {
    half_close_ = false;
    stream_->shutdown_write();
  }
  return Progress::done;
}

}  // namespace telltale::proxy
