#include "proxy/net/descriptor.h"

#include "tests/unit/proxy/net/socket_pair.h"

#include <boost/asio/error.hpp>

#include <string>

namespace telltale::proxy {
namespace {

using boost::system::error_code;
using namespace std::chrono_literals;

TEST(Descriptor, TurnToWriteComesInTheSamePassBehindItsEventsAndPostedWork) {
  EventLoop loop;
  SocketPair first(loop);
  SocketPair second(loop);
  std::string order;
  loop.post([&] { order += 'p'; });
  for (auto* pair : {&first, &second}) {
    pair->stream.async_readable([&, pair](error_code) {
      order += 'r';
      pair->stream.async_writable([&](error_code error) { order += error ? 'e' : 'w'; });
    });
    pair->send("x");
  }
  loop.run_once(0ms);
  EXPECT_EQ(order, "rrpww");
}

TEST(Descriptor, TurnToWriteWaitsForRoomWhenTheKernelIsFull) {
  EventLoop loop;
  SocketPair pair(loop);
  const std::string block(64 * 1024, 'x');
  while (pair.stream.descriptor().writable()) pair.stream.write(block);
  bool called = false;
  pair.stream.descriptor().turn_to_write().async_wait([&](error_code) { called = true; });
  loop.run_once(0ms);
  EXPECT_FALSE(called);
  while (!pair.receive().empty()) {
  }
  run_until(loop, [&] { return called; });
}

TEST(Descriptor, OneThatClosesBeforeItsTurnIsAborted) {
  EventLoop loop;
  SocketPair closes(loop);
  SocketPair other(loop);
  std::string order;
  other.stream.async_writable([&](error_code) {
    order += 'o';
    closes.stream.close();
  });
  closes.stream.async_writable([&](error_code error) {
    EXPECT_EQ(error, boost::asio::error::operation_aborted);
    order += 'c';
  });
  loop.run_once(0ms);
  loop.run_once(0ms);
  EXPECT_EQ(order, "oc");
}

// A handler that hears of the deadline may answer, with time of its own (408).
TEST(Descriptor, WaitThatBeginsAtTheDeadlineHasItsOwn) {
  EventLoop loop;
  SocketPair pair(loop);
  error_code written = boost::asio::error::would_block;
  pair.stream.expires_after(1ms);
  pair.stream.async_readable([&](error_code error) {
    EXPECT_EQ(error, boost::asio::error::timed_out);
    pair.stream.expires_after(1h);
    pair.stream.async_writable([&](error_code e) { written = e; });
  });
  run_until(loop, [&] { return written != boost::asio::error::would_block; });
  EXPECT_EQ(written, error_code());
}

TEST(Descriptor, DeadlineEndsBothWaits) {
  EventLoop loop;
  SocketPair pair(loop);
  const std::string block(64 * 1024, 'x');
  while (pair.stream.descriptor().writable()) pair.stream.write(block);
  error_code read, written;
  pair.stream.expires_after(1ms);
  pair.stream.async_readable([&](error_code error) { read = error; });
  pair.stream.async_writable([&](error_code error) { written = error; });
  run_until(loop, [&] { return read && written; });
  EXPECT_EQ(read, boost::asio::error::timed_out);
  EXPECT_EQ(written, boost::asio::error::timed_out);
}

// A socket of a pair stands for a listener: input that nobody takes.
TEST(Descriptor, ListenerIsToldInEachPassAndNotWhileItWaitsForADeadline) {
  EventLoop loop;
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
  const UniqueFd other(fds[1]);
  const auto listener = Descriptor::open_listener(loop, UniqueFd(fds[0]), Descriptor::Sharing::own);
  int told = 0;
  const auto wait = [&] {
    listener->clear_readable();
    listener->async_readable([&](error_code) { ++told; });
  };
  wait();
  ASSERT_EQ(::send(other.get(), "x", 1, MSG_NOSIGNAL), 1);
  run_until(loop, [&] { return told == 1; });
  wait();
  run_until(loop, [&] { return told == 2; });

  error_code ended;
  listener->set_deadline(loop.now() + 50ms);
  listener->async_deadline([&](error_code error) { ended = error; });
  run_until(loop, [&] { return bool(ended); });
  EXPECT_EQ(ended, boost::asio::error::timed_out);
  wait();
  run_until(loop, [&] { return told == 3; });
}

}  // namespace
}  // namespace telltale::proxy
