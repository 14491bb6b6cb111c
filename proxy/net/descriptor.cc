#include "proxy/net/descriptor.h"

#include <boost/asio/error.hpp>

#include <cerrno>
#include <sys/epoll.h>

namespace telltale::proxy {

Descriptor::Handle Descriptor::open(EventLoop& loop, UniqueFd fd, Initially initially, Trigger trigger,
                                    Sharing sharing) {
  auto* descriptor = new Descriptor(loop, std::move(fd), initially, trigger, sharing);
  if (initially == Initially::blocked && !descriptor->watch()) {
    const int error = errno;
    delete descriptor;
    errno = error;
    return nullptr;
  }
  ++loop.descriptor_count_;
  descriptor->next_ = loop.open_;
  if (loop.open_ != nullptr) loop.open_->previous_ = descriptor;
  loop.open_ = descriptor;
  return Handle(descriptor);
}

bool Descriptor::watch() {
  constexpr std::uint32_t edges = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  epoll_event event{.events = level_ ? static_cast<std::uint32_t>(EPOLLIN) : edges, .data = {.ptr = this}};
  registered_ = ::epoll_ctl(loop_.epoll_.get(), EPOLL_CTL_ADD, fd_.get(), &event) == 0;
  // The kernel has no room for another watch: a wait for what nobody will tell ends at the next tick.
  if (!registered_) set_deadline(loop_.now());
  return registered_;
}

void Descriptor::unwatch() {
  if (std::exchange(registered_, false)) ::epoll_ctl(loop_.epoll_.get(), EPOLL_CTL_DEL, fd_.get(), nullptr);
}

void Descriptor::close() {
  if (!fd_) return;
  loop_.wheel_.remove(*this);
  if (shared_) unwatch();
  fd_.reset();  // the kernel takes it out of epoll
  dependent_ = nullptr;
  --loop_.descriptor_count_;
  (previous_ != nullptr ? previous_->next_ : loop_.open_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  if (queued_) std::erase(loop_.soon_, this);
  loop_.closed_.push_back(this);
  input_.fail(boost::asio::error::operation_aborted);
  output_.fail(boost::asio::error::operation_aborted);
}

void Descriptor::on_events(std::uint32_t events) {
  if (!fd_) return;  // closed earlier in this pass
  if (events & (EPOLLHUP | EPOLLERR)) broken_ = true;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) hangup_ = true;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) readable_ = true;
  if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) writable_ = true;
  const bool nobody_waits = !input_.waiting() && !output_.waiting();
  signal();
  if (fd_ && broken_ && nobody_waits && dependent_ != nullptr) {
    Descriptor* dependent = dependent_;
    dependent->input_.fail(boost::asio::error::connection_reset);
    if (dependent->fd_) dependent->output_.fail(boost::asio::error::connection_reset);
  }
}

void Descriptor::signal() {
  // Who begins to wait for output meanwhile, or waits for a turn, is called when the turn comes.
  const bool writer_waits = output_.waiting() && !queued_;
  if (readable_) input_.signal();
  if (fd_ && writable_ && writer_waits) output_.signal();
}

void Descriptor::complete_soon() {
  if (std::exchange(queued_, true)) return;
  loop_.soon_.push_back(this);
}

void Descriptor::on_deadline() {
  if (!registered_ && dependent_ != nullptr && !input_.waiting() && !output_.waiting()) {
    watch();
    return;
  }
  // A wait that the input's handler begins now, with a deadline of its own, has only begun.
  const bool writer_waits = output_.waiting();
  input_.fail(boost::asio::error::timed_out);
  if (fd_ && writer_waits && !has_deadline()) output_.fail(boost::asio::error::timed_out);
}

}  // namespace telltale::proxy
