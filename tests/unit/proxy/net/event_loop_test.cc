#include "proxy/net/event_loop.h"

#include "tests/unit/proxy/net/socket_pair.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <thread>
#include <vector>

namespace telltale::proxy {
namespace {

using boost::system::error_code;
using namespace std::chrono_literals;

TEST(EventLoop, RunsPostedWorkInOrderAndNotInsidePost) {
  EventLoop loop;
  std::string order;
  loop.post([&] {
    loop.post([&] { order += 'c'; });
    order += 'a';
  });
  loop.post([&] { order += 'b'; });
  EXPECT_EQ(order, "");
  run_until(loop, [&] { return order.size() == 3; });
  EXPECT_EQ(order, "abc");
}

TEST(EventLoop, TakesPostsFromOtherThreads) {
  EventLoop loop;
  constexpr int threads = 4;
  constexpr int posts = 5000;
  int count = 0;  // only the loop's thread touches it
  std::vector<std::thread> posters;
  for (int t = 0; t < threads; ++t) {
    posters.emplace_back([&] {
      for (int i = 0; i < posts; ++i) boost::asio::post(loop.get_executor(), [&] { ++count; });
    });
  }
  run_until(loop, [&] { return count == threads * posts; });
  for (auto& poster : posters) poster.join();
}

TEST(EventLoop, StopsFromAnotherThread) {
  EventLoop loop;
  std::atomic<bool> running{false};
  std::thread runner([&] {
    loop.post([&] { running = true; });
    loop.run();
  });
  while (!running) std::this_thread::yield();
  loop.stop();
  runner.join();
}

TEST(EventLoop, WaitsAsAnOrdinaryAsioOperation) {
  EventLoop loop;
  SocketPair pair(loop);
  auto future = pair.stream.async_readable(boost::asio::use_future);  // a token whose handler is not small
  pair.send("x");
  run_until(loop, [&] { return future.wait_for(0s) == std::future_status::ready; });
  EXPECT_NO_THROW(future.get());
}

TEST(EventLoop, CoroutineReadsWhatComesInPieces) {
  EventLoop loop;
  SocketPair pair(loop);
  std::string got;
  auto reader = [](Stream& stream, std::string& into) -> Awaitable<> {
    for (;;) {
      const ReadResult result = stream.read();
      if (result.error == boost::asio::error::would_block) {
        const auto [error] = co_await stream.async_readable(as_result);
        EXPECT_FALSE(error);
        continue;
      }
      if (result.error) co_return;
      into += result.octets;
    }
  };
  bool done = false;
  boost::asio::co_spawn(loop.get_executor(), reader(pair.stream, got), [&](std::exception_ptr) { done = true; });
  for (const char* piece : {"one ", "two ", "three"}) {
    const std::size_t before = got.size();
    pair.send(piece);
    run_until(loop, [&] { return got.size() > before; });
  }
  pair.other.reset();
  run_until(loop, [&] { return done; });
  EXPECT_EQ(got, "one two three");
}

TEST(EventLoop, EndOfInputThatCameWithTheLastOctetsIsNotLost) {
  EventLoop loop;
  SocketPair pair(loop);
  pair.send("last words");
  pair.other.reset();  // before the loop looks: one edge tells of both
  error_code waited = boost::asio::error::would_block;
  pair.stream.async_readable([&](error_code e) { waited = e; });
  run_until(loop, [&] { return waited != boost::asio::error::would_block; });
  EXPECT_EQ(pair.stream.read().octets, "last words");
  EXPECT_EQ(pair.stream.read().error, boost::asio::error::eof) << "a short read must not mean drained after RDHUP";
}

TEST(EventLoop, ShortReadMakesNoFurtherSystemCall) {
  EventLoop loop;
  SocketPair pair(loop);
  pair.send("abc");
  run_until(loop, [&] { return pair.stream.descriptor().readable(); });
  EXPECT_EQ(pair.stream.read().octets, "abc");
  EXPECT_FALSE(pair.stream.descriptor().readable());
  pair.send("def");  // there already, but no edge was taken: the flag decides
  EXPECT_EQ(pair.stream.read().error, boost::asio::error::would_block);
  run_until(loop, [&] { return pair.stream.descriptor().readable(); });
  EXPECT_EQ(pair.stream.read().octets, "def");
}

TEST(EventLoop, WaitThatBeginsWithTheFlagUpEndsInThePassNotInTheCall) {
  EventLoop loop;
  SocketPair pair(loop);
  bool called = false;
  pair.stream.async_writable([&](error_code e) { called = !e; });
  EXPECT_FALSE(called);
  run_until(loop, [&] { return called; });
}

TEST(EventLoop, WritableAgainAfterTheKernelWasFull) {
  EventLoop loop;
  SocketPair pair(loop);
  const std::string block(64 * 1024, 'x');
  IoResult result;
  do {
    result = pair.stream.write(block);
  } while (!result.error && result.size == block.size());
  EXPECT_FALSE(pair.stream.descriptor().writable());
  bool writable = false;
  pair.stream.async_writable([&](error_code e) { writable = !e; });
  loop.run_once(0ms);
  EXPECT_FALSE(writable);
  while (!pair.receive().empty()) {
  }
  run_until(loop, [&] { return writable; });
}

TEST(EventLoop, CloseInsideACallbackOfTheSamePass) {
  EventLoop loop;
  SocketPair a(loop);
  SocketPair b(loop);
  int calls = 0;
  // Both become readable in one pass; whichever comes first closes both.
  const auto close_both = [&](error_code) {
    ++calls;
    a.stream.close();
    b.stream.close();
  };
  a.stream.async_readable(close_both);
  b.stream.async_readable(close_both);
  a.send("x");
  b.send("x");
  run_until(loop, [&] { return calls == 2; });  // the other's wait was aborted
  loop.run_once(0ms);
  EXPECT_EQ(loop.descriptor_count(), 0u);
}

TEST(EventLoop, CloseAbortsAWait) {
  EventLoop loop;
  SocketPair pair(loop);
  error_code waited;
  pair.stream.async_readable([&](error_code e) { waited = e; });
  pair.stream.close();
  EXPECT_EQ(waited, boost::asio::error::operation_aborted);
}

TEST(EventLoop, DeadlineEndsAWaitAndMovingItLaterIsEnough) {
  EventLoop loop;
  SocketPair pair(loop);
  error_code waited = boost::asio::error::would_block;
  const auto began = EventLoop::Clock::now();
  pair.stream.expires_after(50ms);
  pair.stream.expires_after(200ms);
  pair.stream.async_readable([&](error_code e) { waited = e; });
  run_until(loop, [&] { return waited != boost::asio::error::would_block; });
  EXPECT_EQ(waited, boost::asio::error::timed_out);
  EXPECT_GE(EventLoop::Clock::now() - began, 190ms);
}

TEST(EventLoop, DeadlineMovedEarlierFiresEarlier) {
  EventLoop loop;
  SocketPair pair(loop);
  error_code waited = boost::asio::error::would_block;
  pair.stream.expires_after(1h);
  pair.stream.expires_after(20ms);
  pair.stream.async_readable([&](error_code e) { waited = e; });
  run_until(loop, [&] { return waited == boost::asio::error::timed_out; });
}

/// More than two passes take.
constexpr std::size_t many = 2 * EventLoop::max_events + 88;

TEST(EventLoop, WhatCameBeforeTheDeadlineIsTakenBeforeItExpires) {
  EventLoop loop;
  std::vector<std::unique_ptr<SocketPair>> pairs;
  std::size_t readable = 0, late = 0;
  for (std::size_t i = 0; i < many; ++i) {
    auto& pair = *pairs.emplace_back(std::make_unique<SocketPair>(loop));
    pair.stream.expires_after(1ms);
    pair.stream.async_readable([&](error_code e) { ++(e ? late : readable); });
  }
  for (auto& pair : pairs) pair->send("x");
  // As if this process had been stopped.
  const auto over = EventLoop::Clock::now() + 5 * DeadlineWheel::tick;
  while (EventLoop::Clock::now() < over) std::this_thread::yield();
  run_until(loop, [&] { return readable + late == many; });
  EXPECT_EQ(late, 0u);
}

TEST(EventLoop, DeadlinesExpireHoweverMuchComes) {
  EventLoop loop;
  std::vector<std::unique_ptr<SocketPair>> pairs;
  std::function<void(SocketPair&)> echo = [&](SocketPair& pair) {
    pair.stream.async_readable([&](error_code error) {
      if (error) return;
      pair.stream.read();
      pair.send("x");
      echo(pair);
    });
  };
  for (std::size_t i = 0; i < many; ++i) {
    auto& pair = *pairs.emplace_back(std::make_unique<SocketPair>(loop));
    pair.send("x");
    echo(pair);
  }
  SocketPair silent(loop);
  error_code waited;
  silent.stream.expires_after(1ms);
  silent.stream.async_readable([&](error_code e) { waited = e; });
  std::size_t full = 0;
  run_until(loop, [&] {
    full += loop.run_once(0ms) == EventLoop::max_events;
    return bool(waited);
  });
  EXPECT_EQ(waited, boost::asio::error::timed_out);
  EXPECT_GE(full, 2u);
}

TEST(EventLoop, CancellationSlotAbortsOnlyTheWait) {
  EventLoop loop;
  SocketPair pair(loop);
  boost::asio::cancellation_signal cancel;
  error_code waited = boost::asio::error::would_block;
  pair.stream.async_readable(boost::asio::bind_cancellation_slot(cancel.slot(), [&](error_code e) { waited = e; }));
  cancel.emit(boost::asio::cancellation_type::terminal);
  EXPECT_EQ(waited, boost::asio::error::operation_aborted);
  pair.send("x");
  run_until(loop, [&] { return pair.stream.descriptor().readable(); });
  EXPECT_EQ(pair.stream.read().octets, "x");
}

// A socket that starts out ready is registered only when somebody first waits on it.
TEST(EventLoop, BrokenPeerThatNobodyWaitedOnEndsTheWaitOfItsDependent) {
  EventLoop loop;
  SocketPair client(loop, Descriptor::Initially::ready);
  SocketPair backend(loop);
  client.stream.descriptor().set_dependent(&backend.stream.descriptor());
  error_code seen;
  backend.stream.async_readable([&](error_code error) { seen = error; });
  client.other.reset();
  run_until(loop, [&] { return bool(seen); });
  EXPECT_EQ(seen, boost::asio::error::connection_reset);
}

TEST(EventLoop, EndThatCameBeforeTheFirstWaitIsNotLost) {
  EventLoop loop;
  SocketPair pair(loop, Descriptor::Initially::ready);
  pair.send("last");
  pair.other.reset();
  EXPECT_EQ(pair.stream.read().octets, "last");
  bool woken = false;
  pair.stream.async_readable([&](error_code) { woken = true; });
  run_until(loop, [&] { return woken; });
  EXPECT_EQ(pair.stream.read().error, boost::asio::error::eof);
}

TEST(EventLoop, BrokenPeerEndsTheWaitOfItsDependent) {
  EventLoop loop;
  SocketPair client(loop);
  SocketPair backend(loop);
  client.stream.descriptor().set_dependent(&backend.stream.descriptor());
  error_code waited;
  backend.stream.async_readable([&](error_code e) { waited = e; });
  client.other.reset();
  run_until(loop, [&] { return waited == boost::asio::error::connection_reset; });
}

TEST(EventLoop, DestructionEndsSuspendedCoroutines) {
  bool ended = false;
  struct Guard {
    bool& flag;
    ~Guard() { flag = true; }
  };
  auto waits = [](Stream stream, bool& flag) -> Awaitable<> {
    const Guard guard{flag};
    co_await stream.async_readable(as_result);
  };
  UniqueFd other;
  {
    EventLoop loop;
    SocketPair pair(loop);
    other = std::move(pair.other);
    boost::asio::co_spawn(loop.get_executor(), waits(std::move(pair.stream), ended), boost::asio::detached);
    loop.run_once(0ms);
    EXPECT_FALSE(ended);
  }
  EXPECT_TRUE(ended);
}

TEST(EventLoop, HoldsTenThousandDescriptors) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  constexpr std::size_t count = 10'000;
  ASSERT_GE(limit.rlim_cur, count + 100) << "raise the file descriptor limit (ulimit -n) to run this test";
  EventLoop loop;
  std::vector<Stream> streams;
  std::size_t woken = 0;
  for (std::size_t i = 0; i < count; ++i) {
    streams.emplace_back(
        Descriptor::open(loop, UniqueFd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), Descriptor::Initially::blocked));
    ASSERT_TRUE(streams.back().is_open());
    streams.back().async_readable([&woken](error_code e) { woken += !e; });
  }
  EXPECT_EQ(loop.descriptor_count(), count);
  for (const Stream& stream : streams) {
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(stream.descriptor().fd(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
  }
  run_until(loop, [&] { return woken == count; });
  streams.clear();
  loop.run_once(0ms);
  EXPECT_EQ(loop.descriptor_count(), 0u);
}

}  // namespace
}  // namespace telltale::proxy
