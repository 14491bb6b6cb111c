#include "proxy/net/pipe_pool.h"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace telltale::proxy {
namespace {

using boost::system::error_code;

error_code last_error() { return {errno, boost::system::system_category()}; }

ssize_t splice_now(int from, int to, std::size_t size) {
  ssize_t done;
  do {
    done = ::splice(from, nullptr, to, nullptr, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  } while (done < 0 && errno == EINTR);
  return done;
}

/// Who is not privileged may own pipes of fs.pipe-user-pages-soft in all, of fs.pipe-max-size each: then less has to
/// do.
std::size_t widen(int pipe) {
  for (std::size_t size = Pipe::capacity_bytes; size > Pipe::min_capacity_bytes; size /= 4) {
    const int given = ::fcntl(pipe, F_SETPIPE_SZ, static_cast<int>(size));
    if (given > 0) return static_cast<std::size_t>(given);
  }
  const int given = ::fcntl(pipe, F_GETPIPE_SZ);
  return given > 0 ? static_cast<std::size_t>(given) : 0;
}

}  // namespace

std::unique_ptr<Pipe> Pipe::open() {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0) return nullptr;
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const std::size_t capacity = widen(write_end.get());
  if (capacity < min_capacity_bytes) return nullptr;
  return std::unique_ptr<Pipe>(new Pipe(std::move(read_end), std::move(write_end), capacity));
}

IoResult Pipe::fill(Stream& from, std::size_t limit) {
  Descriptor& descriptor = from.descriptor();
  if (!descriptor.readable()) return {0, boost::asio::error::would_block};
  const ssize_t size = splice_now(descriptor.fd(), write_end_.get(), std::min(limit, capacity_));
  if (size > 0) {
    // Fewer octets than asked for may have taken all of the pipe's pages: that the socket is empty, only it can tell.
    size_ = static_cast<std::size_t>(size);
    return {size_, {}};
  }
  if (size == 0) return {0, boost::asio::error::eof};
  if (errno != EAGAIN) return {0, last_error()};
  descriptor.clear_readable();  // the pipe is empty, so it is the socket that has nothing
  return {0, boost::asio::error::would_block};
}

IoResult Pipe::drain(Stream& to) {
  Descriptor& descriptor = to.descriptor();
  if (!descriptor.writable()) return {0, boost::asio::error::would_block};
  const ssize_t size = splice_now(read_end_.get(), descriptor.fd(), size_);
  if (size < 0 && errno != EAGAIN) return {0, last_error()};
  const std::size_t moved = size > 0 ? static_cast<std::size_t>(size) : 0;
  size_ -= moved;
  if (size_ > 0) descriptor.clear_writable();
  if (moved == 0) return {0, boost::asio::error::would_block};
  return {moved, {}};
}

PipePool::Lease PipePool::take() {
  std::unique_ptr<Pipe> pipe;
  if (!idle_.empty()) {
    pipe = std::move(idle_.back());
    idle_.pop_back();
  } else if (in_use_ < max_pipes && loop_.now() >= not_before_) {
    pipe = Pipe::open();
    if (pipe == nullptr) not_before_ = loop_.now() + pause;
  }
  if (pipe != nullptr) ++in_use_;
  return Lease(pipe.release(), Return{this});
}

void PipePool::put_back(std::unique_ptr<Pipe> pipe) {
  --in_use_;
  if (pipe->size() == 0 && idle_.size() < max_idle) idle_.push_back(std::move(pipe));
}

}  // namespace telltale::proxy
