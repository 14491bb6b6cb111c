#include "proxy/net/stream.h"

#include "proxy/net/socket_address.h"
#include "proxy/net/transparent_source.h"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace telltale::proxy {
namespace {

using boost::system::error_code;

error_code last_error() { return {errno, boost::system::system_category()}; }
const error_code would_block = boost::asio::error::would_block;

}  // namespace

ReadResult Stream::read(std::size_t limit) {
  if (has_unread()) {
    const std::size_t size = std::min<std::size_t>(limit, kept_end_ - kept_begin_);
    const std::string_view octets(kept_.get() + kept_begin_, size);
    kept_begin_ += static_cast<std::uint32_t>(size);
    return {octets, {}};
  }
  kept_.reset();
  if (!descriptor_) return {{}, boost::asio::error::operation_aborted};
  return tls_ ? tls_->read(limit) : read_plain(limit);
}

ReadResult Stream::read_plain(std::size_t limit) {
  if (!descriptor_->readable()) return {{}, would_block};
  const std::span<char> scratch = descriptor_->loop().scratch();
  const std::size_t wanted = std::min(limit, scratch.size());
  for (;;) {
    const ssize_t size = ::recv(descriptor_->fd(), scratch.data(), wanted, 0);
    if (size > 0) {
      // A short read has drained the socket; but an EOF that came with the last octets must not be lost.
      if (static_cast<std::size_t>(size) < wanted && !descriptor_->saw_hangup()) descriptor_->clear_readable();
      return {{scratch.data(), static_cast<std::size_t>(size)}, {}};
    }
    if (size == 0) return {{}, boost::asio::error::eof};
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      descriptor_->clear_readable();
      return {{}, would_block};
    }
    return {{}, last_error()};
  }
}

void Stream::unread(std::string_view octets) {
  if (octets.empty()) return;
  const char* kept = kept_.get();
  if (kept != nullptr && octets.data() >= kept && octets.data() + octets.size() == kept + kept_begin_) {
    kept_begin_ -= static_cast<std::uint32_t>(octets.size());  // lent from what was kept: just take it back
    return;
  }
  // Octets kept behind these can be there only if the lent ones came from the kept ones: handled above.
  kept_ = std::make_unique_for_overwrite<char[]>(octets.size());
  std::memcpy(kept_.get(), octets.data(), octets.size());
  kept_begin_ = 0;
  kept_end_ = static_cast<std::uint32_t>(octets.size());
}

IoResult Stream::write(std::string_view first, std::string_view second, Next next) {
  if (!descriptor_) return {0, boost::asio::error::operation_aborted};
  return tls_ ? tls_->write(first, second, next == Next::at_once) : write_plain(first, second, next);
}

IoResult Stream::write_plain(std::string_view first, std::string_view second, Next next) {
  if (!descriptor_->writable()) return {0, would_block};
  const std::size_t wanted = first.size() + second.size();
  const int flags = MSG_NOSIGNAL | (next == Next::at_once ? MSG_MORE : 0);
  for (;;) {
    ssize_t size;
    if (second.empty()) {
      size = ::send(descriptor_->fd(), first.data(), first.size(), flags);
    } else {
      iovec pieces[2] = {{const_cast<char*>(first.data()), first.size()},
                         {const_cast<char*>(second.data()), second.size()}};
      msghdr message{};
      message.msg_iov = pieces;
      message.msg_iovlen = 2;
      size = ::sendmsg(descriptor_->fd(), &message, flags);
    }
    if (size >= 0) {
      if (static_cast<std::size_t>(size) < wanted) descriptor_->clear_writable();
      return {static_cast<std::size_t>(size), {}};
    }
    if (errno == EINTR) continue;
    // A connect that is still under way says EAGAIN (TCP) or ENOTCONN (Unix).
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      descriptor_->clear_writable();
      return {0, would_block};
    }
    return {0, last_error()};
  }
}

void Stream::start_tls(SslHandle ssl) {
  tls_ = std::make_unique<TlsChannel>(std::move(ssl), *descriptor_,
                                      std::string_view(kept_.get() + kept_begin_, kept_end_ - kept_begin_));
  kept_.reset();
  kept_begin_ = kept_end_ = 0;
}

void Stream::shutdown_write() {
  if (tls_) tls_->end(true);
  if (descriptor_) ::shutdown(descriptor_->fd(), SHUT_WR);
}

void Stream::reset() {
  if (!descriptor_) return;
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(descriptor_->fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  drop();  // no close_notify: the peer must not take it for the end
}

Connecting start_connect(EventLoop& loop, const conf::Address& address, const net::IpAddress* source) {
  if (source != nullptr) {
    if (!address.ip) return {{}, SourceError::unix_endpoint};
    if (address.ip->address.is_v4() != source->is_v4()) return {{}, SourceError::other_family};
  }
  const SocketAddress target(address);
  UniqueFd fd(::socket(target.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return {{}, last_error()};
  if (target.family() != AF_UNIX) {
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  if (source != nullptr) {
    if (const error_code refused = bind_transparently(fd.get(), *source)) return {{}, refused};
  }
  if (::connect(fd.get(), target.data(), target.size()) != 0 && errno != EINPROGRESS) return {{}, last_error()};
  auto descriptor = Descriptor::open(loop, std::move(fd), Descriptor::Initially::blocked);
  if (!descriptor) return {{}, last_error()};
  return {Stream(std::move(descriptor)), {}};
}

error_code finish_connect(Stream& stream) {
  if (!stream.is_open()) return boost::asio::error::operation_aborted;
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(stream.descriptor().fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return last_error();
  return {error, boost::system::system_category()};
}

}  // namespace telltale::proxy
