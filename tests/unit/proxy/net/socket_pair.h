#pragma once

#include "proxy/net/stream.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <sys/socket.h>

namespace telltale::proxy {

/// Two connected Unix stream sockets: one registered with the loop, the other driven by the test.
struct SocketPair {
  explicit SocketPair(EventLoop& loop, Descriptor::Initially initially = Descriptor::Initially::blocked) {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    other = UniqueFd(fds[1]);
    stream = Stream(Descriptor::open(loop, UniqueFd(fds[0]), initially));
  }
  void send(std::string_view octets) const {
    EXPECT_EQ(::send(other.get(), octets.data(), octets.size(), MSG_NOSIGNAL), static_cast<ssize_t>(octets.size()));
  }
  /// What has arrived at the test's end.
  std::string receive() const {
    std::string all(1 << 20, '\0');
    const ssize_t size = ::recv(other.get(), all.data(), all.size(), 0);
    all.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return all;
  }

  Stream stream;
  UniqueFd other;
};

/// Runs the loop until `done`; a test that never gets there fails instead of hanging.
inline void run_until(EventLoop& loop, const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done() && std::chrono::steady_clock::now() < deadline) loop.run_once(std::chrono::milliseconds(20));
  EXPECT_TRUE(done()) << "the condition did not come true in time";
}

}  // namespace telltale::proxy
