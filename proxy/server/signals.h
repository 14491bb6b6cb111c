#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <initializer_list>
#include <sys/signalfd.h>

namespace telltale::proxy {

/// The signals that a process is led by, as events of the control thread. They are read from a signalfd: none
/// interrupts a system call, runs a handler in the middle of something, or ends up with a worker. They stay blocked in
/// the thread that makes this, and in all that it starts from then on, even when this has gone: a second SIGTERM must
/// not turn a clean end into a kill. Control thread only.
class Signals {
 public:
  /// Throws std::system_error.
  Signals(boost::asio::io_context& control, std::initializer_list<int> numbers);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// `handle` is told of each one, also of those that came before.
  void start(std::function<void(int)> handle);
  void stop();

 private:
  void wait();

  boost::asio::posix::stream_descriptor descriptor_;
  signalfd_siginfo info_{};
  std::function<void(int)> handle_;
};

}  // namespace telltale::proxy
