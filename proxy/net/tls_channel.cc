#include "proxy/net/tls_channel.h"

#include "proxy/net/stream.h"
#include "proxy/net/tls_error.h"

#include <boost/asio/error.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <sys/socket.h>
#include <utility>

namespace telltale::proxy {
namespace {

using boost::system::error_code;

constexpr std::size_t record_size = SSL3_RT_MAX_PLAIN_LENGTH;  // RFC 8446 5.1
// In one read, however small they are: a sender of records of an octet must not keep the loop from everybody else.
constexpr unsigned records_per_read = 16;
const error_code would_block = boost::asio::error::would_block;

error_code last_error() { return {errno, boost::system::system_category()}; }

}  // namespace

void SslFreer::operator()(SSL* ssl) const { SSL_free(ssl); }

TlsChannel::TlsChannel(SslHandle ssl, Descriptor& descriptor, std::string_view received)
    : descriptor_(descriptor), ssl_(std::move(ssl)), received_(received) {
  BIO* bio = BIO_new(bio_method());
  if (bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
}

TlsChannel::~TlsChannel() = default;

error_code TlsChannel::handshake() {
  if (const error_code error = flush_pending(false)) return error;
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_.get());
  established_ = done == 1;
  if (established_ && SSL_is_server(ssl_.get()) == 1 && SSL_version(ssl_.get()) == TLS1_3_VERSION) {
    // The session tickets: they leave with the first answer, or when a read has to wait.
    std::string& out = descriptor_.loop().tls_output();
    tickets_wait_ = !out.empty();
    pending_.append(out);
    out.clear();
    return {};
  }
  const error_code error = established_ ? error_code() : error_of(done);
  const error_code flushed = flush(false);
  if (error && error != would_block) return error;
  return flushed ? flushed : error;
}

ReadResult TlsChannel::read(std::size_t limit) {
  if (failure_) return {{}, failure_};
  const std::span<char> scratch = descriptor_.loop().scratch();
  const std::size_t wanted = std::min(limit, scratch.size());
  std::size_t size = 0;
  error_code error;
  for (unsigned records = 0; records < records_per_read && size < wanted && !error; ++records) {
    ERR_clear_error();
    std::size_t got = 0;
    const int done = SSL_read_ex(ssl_.get(), scratch.data() + size, wanted - size, &got);
    if (done == 1) {
      size += got;
      if (!has_pending() && !descriptor_.readable()) break;  // no call that can only say so
    } else {
      error = error_of(done);
    }
  }
  flush(false);  // what a key update or an alert had to say
  if (error && error != would_block) failure_ = error;
  if (size > 0) return {{scratch.data(), size}, {}};
  if (std::exchange(tickets_wait_, false)) flush_pending(false);
  return {{}, error};
}

/// As much of both as fits what is sent at once, in as few records as possible.
std::size_t TlsChannel::encrypt(std::string_view first, std::string_view second) {
  const auto put = [this](std::string_view octets) {
    std::size_t size = 0;
    ERR_clear_error();
    return SSL_write_ex(ssl_.get(), octets.data(), octets.size(), &size) == 1 ? size : 0;
  };
  std::size_t taken = 0;
  // A head and the beginning of its body share a record.
  if (!second.empty() && !first.empty() && first.size() < record_size) {
    const std::span<char> record = descriptor_.loop().tls_record();
    const std::size_t rest = std::min(second.size(), record_size - first.size());
    std::memcpy(record.data(), first.data(), first.size());
    std::memcpy(record.data() + first.size(), second.data(), rest);
    taken = put({record.data(), first.size() + rest});
    if (taken != first.size() + rest) return taken;
    first = {};
    second.remove_prefix(rest);
  }
  for (std::string_view octets : {first, second}) {
    while (!octets.empty() && taken < EventLoop::scratch_size) {
      const std::size_t size = put(octets.substr(0, record_size));
      if (size == 0) return taken;
      taken += size;
      octets.remove_prefix(size);
    }
    if (!octets.empty()) break;
  }
  return taken;
}

IoResult TlsChannel::write(std::string_view first, std::string_view second, bool more_follows) {
  if (!tickets_wait_) {
    if (const error_code error = flush_pending(more_follows)) return {0, error};
  }
  std::size_t written = 0;
  if (std::exchange(held_back_, false)) {
    (first.empty() ? second : first).remove_prefix(1);
    written = 1;
  }
  if (first.empty() && second.empty()) return {written, {}};
  if (!descriptor_.writable()) {
    return {written, written == 0 ? would_block : error_code()};
  }
  if (std::exchange(tickets_wait_, false)) {
    descriptor_.loop().tls_output().append(pending_);
    std::string().swap(pending_);
  }
  const std::size_t taken = encrypt(first, second);
  const error_code error = flush(more_follows);
  if (taken == 0) return {0, take_tls_error(boost::asio::error::connection_reset)};
  if (error && error != would_block) return {0, error};
  held_back_ = !pending_.empty();
  written += taken - (held_back_ ? 1 : 0);
  return {written, written == 0 ? would_block : error_code()};
}

bool TlsChannel::has_pending() const { return failure_ || !received_.empty() || SSL_has_pending(ssl_.get()) == 1; }

bool TlsChannel::is_silent() {
  if (failure_) return false;
  char octet;
  std::size_t size = 0;
  ERR_clear_error();
  const int done = SSL_peek_ex(ssl_.get(), &octet, sizeof octet, &size);
  const error_code error = done == 1 ? error_code() : error_of(done);
  flush(false);
  return error == would_block;
}

void TlsChannel::end(bool close_follows) {
  if (!established_ || failure_.category() == tls_category() || std::exchange(ended_, true)) return;
  ERR_clear_error();
  flush_pending(true);
  SSL_shutdown(ssl_.get());
  flush(close_follows);  // kept, and lost, behind what the kernel does not take
}

error_code TlsChannel::error_of(int returned) {
  const int kind = SSL_get_error(ssl_.get(), returned);
  if (kind == SSL_ERROR_WANT_READ) return would_block;
  if (kind == SSL_ERROR_ZERO_RETURN) return boost::asio::error::eof;
  if (const long verified = SSL_get_verify_result(ssl_.get());
      verified != X509_V_OK && !established_ && SSL_get_verify_mode(ssl_.get()) != SSL_VERIFY_NONE) {
    ERR_clear_error();
    return tls_verify_error(verified);
  }
  if (io_error_ == boost::asio::error::eof) {
    ERR_clear_error();
    return established_ ? tls_truncated() : io_error_;
  }
  return take_tls_error(io_error_ ? io_error_ : error_code(boost::asio::error::connection_reset));
}

/// What bio_write() gathered leaves; what the kernel does not take is kept.
error_code TlsChannel::flush(bool more_follows) {
  std::string& out = descriptor_.loop().tls_output();
  if (out.empty()) return {};
  std::size_t sent = 0;
  error_code error;
  if (pending_.empty()) error = send(out, sent, more_follows);
  if (!error || error == would_block) pending_.append(out, sent);
  out.clear();
  return error;
}

error_code TlsChannel::flush_pending(bool more_follows) {
  if (pending_.empty()) return {};
  std::size_t sent = 0;
  const error_code error = send(pending_, sent, more_follows);
  pending_.erase(0, sent);
  if (pending_.empty()) std::string().swap(pending_);  // an idle connection keeps no buffer
  return error;
}

/// would_block: not all of it.
error_code TlsChannel::send(std::string_view octets, std::size_t& sent, bool more_follows) {
  const int flags = MSG_NOSIGNAL | (more_follows ? MSG_MORE : 0);
  for (sent = 0; sent < octets.size();) {
    if (!descriptor_.writable()) return would_block;
    const ssize_t size = ::send(descriptor_.fd(), octets.data() + sent, octets.size() - sent, flags);
    if (size >= 0) {
      sent += static_cast<std::size_t>(size);
      if (sent < octets.size()) descriptor_.clear_writable();
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      descriptor_.clear_writable();
    } else if (errno != EINTR) {
      return last_error();
    }
  }
  return {};
}

int TlsChannel::bio_read(BIO* bio, char* out, int size) {
  auto& self = *static_cast<TlsChannel*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  self.io_error_ = {};
  const auto wanted = static_cast<std::size_t>(size);
  if (!self.received_.empty()) {
    const std::size_t given = self.received_.copy(out, wanted);
    self.received_.erase(0, given);
    if (self.received_.empty()) std::string().swap(self.received_);
    return static_cast<int>(given);
  }
  Descriptor& descriptor = self.descriptor_;
  while (descriptor.readable()) {
    const ssize_t got = ::recv(descriptor.fd(), out, wanted, 0);
    if (got > 0) {
      // A short read has drained the socket; but an EOF that came with the last octets must not be lost.
      if (static_cast<std::size_t>(got) < wanted && !descriptor.saw_hangup()) descriptor.clear_readable();
      return static_cast<int>(got);
    }
    if (got == 0) {
      self.io_error_ = boost::asio::error::eof;
      return 0;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      descriptor.clear_readable();
    } else if (errno != EINTR) {
      self.io_error_ = last_error();
      return -1;
    }
  }
  BIO_set_retry_read(bio);
  return -1;
}

int TlsChannel::bio_write(BIO* bio, const char* octets, int size) {
  auto& self = *static_cast<TlsChannel*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  self.descriptor_.loop().tls_output().append(octets, static_cast<std::size_t>(size));
  return size;
}

long TlsChannel::bio_ctrl(BIO* bio, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return static_cast<TlsChannel*>(BIO_get_data(bio))->io_error_ == boost::asio::error::eof ? 1 : 0;
    default:
      return 0;
  }
}

const BIO_METHOD* TlsChannel::bio_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "descriptor");
    if (made == nullptr) throw std::bad_alloc();
    BIO_meth_set_read(made, &TlsChannel::bio_read);
    BIO_meth_set_write(made, &TlsChannel::bio_write);
    BIO_meth_set_ctrl(made, &TlsChannel::bio_ctrl);
    return made;
  }();
  return method;
}

}  // namespace telltale::proxy
