#pragma once

#include "conf/model.h"
#include "proxy/net/descriptor.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/tls_channel.h"

#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <sys/uio.h>
#include <utility>

namespace telltale::proxy {

/// What a system call achieved. would_block: wait, then try again. eof (asio::error::eof): the peer sends no more.
struct IoResult {
  std::size_t size = 0;
  boost::system::error_code error;
};
struct ReadResult {
  std::string_view octets;
  boost::system::error_code error;
};

/// One connection as session code sees it: never a descriptor. Nothing owns a buffer while it waits: a read lends a
/// span of the loop's scratch buffer, valid until the reader suspends; octets that must wait are put back.
/// Loop's thread only.
class Stream {
 public:
  Stream() = default;
  explicit Stream(Descriptor::Handle descriptor) : descriptor_(std::move(descriptor)) {}
  Stream(Stream&&) = default;
  Stream& operator=(Stream&&) = default;
  ~Stream() { close(); }

  bool is_open() const { return descriptor_ != nullptr; }
  explicit operator bool() const { return is_open(); }

  /// Lends at most `limit` octets, those put back first. Makes no system call that cannot succeed.
  ReadResult read(std::size_t limit = EventLoop::scratch_size);
  /// Keeps `octets` (from the end of the last read) for the next read.
  void unread(std::string_view octets);
  bool has_unread() const { return kept_begin_ < kept_end_; }
  /// Something is put back, or may be there to read without a wait. False once closed.
  bool may_have_more() const {
    return descriptor_ && (has_unread() || descriptor_->readable() || (tls_ && tls_->has_pending()));
  }

  /// From here on TLS, in the role that `ssl` has; octets put back belong to it. Then handshake().
  void start_tls(SslHandle ssl);
  /// Null: no TLS.
  TlsChannel* tls() const { return tls_.get(); }

  /// What comes behind a write. at_once: more octets or the end, without a wait, so that the kernel may send them in
  /// one segment (MSG_MORE).
  enum class Next : bool { whenever, at_once };

  /// Tries at once; a short write has error would_block only if nothing was written.
  IoResult write(std::string_view octets, Next next = Next::whenever) { return write(octets, {}, next); }
  /// Two pieces with one system call.
  IoResult write(std::string_view first, std::string_view second, Next next = Next::whenever);

  /// Waits for after a would-block. Completion: void(error_code): timed_out at the deadline, operation_aborted when
  /// closed.
  template <typename CompletionToken>
  auto async_readable(CompletionToken&& token) {
    return descriptor_->async_readable(std::forward<CompletionToken>(token));
  }
  template <typename CompletionToken>
  auto async_writable(CompletionToken&& token) {
    return descriptor_->async_writable(std::forward<CompletionToken>(token));
  }
  Descriptor& descriptor() { return *descriptor_; }
  const Descriptor& descriptor() const { return *descriptor_; }

  /// From the start of the loop's pass; one deadline for both directions.
  void expires_after(std::chrono::milliseconds duration) {
    descriptor_->set_deadline(descriptor_->loop().now() + duration);
  }
  void expires_never() { descriptor_->clear_deadline(); }

  /// Sends FIN, behind a close_notify with TLS; reading goes on.
  void shutdown_write();
  /// Idempotent. Pending waits end with operation_aborted. With TLS a close_notify goes first, if the kernel takes it.
  void close() {
    if (tls_) tls_->end(true);
    drop();
  }
  /// close() with RST instead of FIN: the peer must not take what it got for a whole message.
  void reset();

 private:
  ReadResult read_plain(std::size_t limit);
  IoResult write_plain(std::string_view first, std::string_view second, Next next);
  void drop() {
    tls_.reset();
    descriptor_.reset();
    kept_.reset();
    kept_begin_ = kept_end_ = 0;
  }

  Descriptor::Handle descriptor_;
  std::unique_ptr<TlsChannel> tls_;  // null: octets go as they are
  std::unique_ptr<char[]> kept_;
  std::uint32_t kept_begin_ = 0;
  std::uint32_t kept_end_ = 0;
};

/// Begins a connection; errors at once are returned, later ones come with the first write or wait. The stream is
/// worth writing to at once: a connection to the same host is often established already. With a `source` it comes from
/// that address, this host's or not (transparent_source.h).
struct Connecting {
  Stream stream;
  boost::system::error_code error;
};
Connecting start_connect(EventLoop& loop, const conf::Address& address, const net::IpAddress* source = nullptr);
/// After writability: whether the connection stands (SO_ERROR).
boost::system::error_code finish_connect(Stream& stream);

}  // namespace telltale::proxy
