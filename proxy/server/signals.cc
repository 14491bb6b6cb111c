#include "proxy/server/signals.h"

#include <boost/asio/buffer.hpp>

#include <cerrno>
#include <signal.h>
#include <system_error>
#include <utility>

namespace telltale::proxy {
namespace {

/// One that is ignored, as a shell in the background leaves SIGINT to its children, would never come to the descriptor.
int open_blocked(std::initializer_list<int> numbers) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : numbers) {
    sigaddset(&signals, number);
    ::signal(number, SIG_DFL);
  }
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const int fd = ::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::system_category(), "signalfd");
  return fd;
}

}  // namespace

Signals::Signals(boost::asio::io_context& control, std::initializer_list<int> numbers)
    : descriptor_(control, open_blocked(numbers)) {}

void Signals::start(std::function<void(int)> handle) {
  handle_ = std::move(handle);
  wait();
}

void Signals::stop() {
  boost::system::error_code ignored;
  descriptor_.close(ignored);
}

void Signals::wait() {
  descriptor_.async_read_some(boost::asio::buffer(&info_, sizeof info_),
                              [this](boost::system::error_code error, std::size_t) {
                                if (error) return;
                                handle_(static_cast<int>(info_.ssi_signo));
                                if (descriptor_.is_open()) wait();
                              });
}

}  // namespace telltale::proxy
