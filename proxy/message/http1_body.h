#pragma once

#include "protocol/http1/chunked.h"
#include "protocol/http1/head.h"
#include "proxy/message/body.h"
#include "proxy/net/stream.h"

#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace telltale::proxy {

/// Reads one HTTP/1 body from a stream by its framing (RFC 9112 6). Content-Length octets are counted, not parsed;
/// chunks are validated and lent as they came, or decoded. What comes after the body is put back. Bulk that needs no
/// look at it comes in pipes, where the receiver takes them and the stream is plain.
class Http1BodyReader {
 public:
  enum class Chunks : std::uint8_t { verbatim, decoded };

  /// `first` are octets read already, lent: read() must be called before anything suspends.
  void start(Stream& stream, http1::BodyFraming framing, Chunks chunks, std::string_view first = {});
  Progress read(BodyPiece& piece, Pipes pipes = Pipes::no);

  bool finished() const { return finished_; }
  std::uint64_t payload_octets() const { return payload_octets_; }
  const http::HeaderBlock& trailers() const { return decoder_.trailers(); }
  boost::system::error_code error() const { return error_; }

 private:
  boost::system::error_code read_octets(BodyPiece& piece, Pipes pipes);
  bool fill_pipe(BodyPiece& piece, boost::system::error_code& error);
  Progress read_chunked(BodyPiece& piece);
  Progress fail(boost::system::error_code error);

  Stream* stream_ = nullptr;
  http1::BodyFraming framing_;
  Chunks chunks_ = Chunks::verbatim;
  bool finished_ = true;
  std::string_view first_;
  std::uint64_t remaining_ = 0;
  std::uint64_t payload_octets_ = 0;
  BulkMeter bulk_;
  PipePool* pipes_ = nullptr;  // of the loop that it is used in; null: it was not needed yet
  http1::ChunkedDecoder decoder_;
  std::string decoded_;
  boost::system::error_code error_;
};

/// Writes one HTTP/1 message: a head staged in one buffer, sent together with the first octets of its body.
class Http1Writer {
 public:
  enum class Framing : std::uint8_t { plain, chunked, tunnel };  ///< plain: octets go out as they are

  void start(Stream& stream);
  /// Append the head here; it leaves with the next write() or flush().
  std::string& staging() { return out_; }
  void set_framing(Framing framing) { framing_ = framing; }
  Framing framing() const { return framing_; }

  /// in_turn: what is little is kept, and `blocked` asks to wait for the turn to write (Descriptor::turn_to_write()).
  enum class Leave : std::uint8_t { at_once, in_turn };
  Progress write(BodyPiece&& piece, const http::HeaderBlock& trailers, Leave leave = Leave::at_once);
  /// Chunks need octets around them.
  Pipes takes_pipes() const {
    return framing_ != Framing::chunked && stream_->tls() == nullptr ? Pipes::taken : Pipes::no;
  }
  /// The stream is closed or shut down as soon as the last piece is through: its end shares a segment with the FIN.
  void set_close_follows() { close_follows_ = true; }
  Progress flush();
  bool has_pending() const { return sent_ < out_.size() || pipe_ != nullptr; }
  /// Whether any octet left since start(): if none did, another connection may be tried.
  bool sent_any() const { return sent_any_; }
  std::uint64_t payload_octets() const { return payload_octets_; }
  boost::system::error_code error() const { return error_; }
  /// Gives back memory that a slow peer made this buffer grow to.
  void release_memory();

 private:
  static constexpr std::size_t copy_limit = 8 * 1024;  ///< a memcpy of this is cheaper than a second iovec
  static constexpr std::size_t kept_capacity = 16 * 1024;

  Progress send_with(std::string_view octets);
  IoResult send(std::string_view first, std::string_view second = {});
  void end_chunked(const http::HeaderBlock& trailers);

  Stream* stream_ = nullptr;
  std::string out_;       // staged, or refused by the kernel
  std::size_t sent_ = 0;  // of out_
  PipePool::Lease pipe_;  // what comes behind out_; null: nothing
  Framing framing_ = Framing::plain;
  bool sent_any_ = false;
  bool half_close_ = false;  // when out_ is through
  bool close_follows_ = false;
  Stream::Next next_ = Stream::Next::whenever;
  std::uint64_t payload_octets_ = 0;
  boost::system::error_code error_;
};

}  // namespace telltale::proxy
