#include "proxy/net/pipe_pool.h"

#include "tests/unit/proxy/net/socket_pair.h"

#include <boost/asio/error.hpp>

#include <csignal>
#include <fcntl.h>
#include <sys/resource.h>

namespace telltale::proxy {
namespace {

TEST(PipePool, OctetsGoThroughUncopiedInTheirOrder) {
  EventLoop loop;
  SocketPair from(loop), to(loop);
  const std::string octets = std::string(100'000, 'a') + "end";
  from.send(octets);
  run_until(loop, [&] { return from.stream.descriptor().readable(); });
  const PipePool::Lease pipe = PipePool::of(loop).take();
  ASSERT_NE(pipe, nullptr);
  std::string got;
  while (got.size() < octets.size()) {
    const IoResult filled = pipe->fill(from.stream);
    ASSERT_FALSE(filled.error) << filled.error.message();
    EXPECT_EQ(pipe->size(), filled.size);
    while (pipe->size() > 0) {
      pipe->drain(to.stream);
      got += to.receive();
      loop.run_once(std::chrono::milliseconds(0));
    }
  }
  EXPECT_EQ(got, octets);
  EXPECT_EQ(pipe->fill(from.stream).error, boost::asio::error::would_block);
  EXPECT_FALSE(from.stream.descriptor().readable()) << "the next wait is for the kernel to end";
}

TEST(PipePool, TellsOfEndsAndErrorsAsAStreamDoes) {
  EventLoop loop;
  SocketPair from(loop), to(loop);
  from.send("last");
  ::shutdown(from.other.get(), SHUT_WR);
  run_until(loop, [&] { return from.stream.descriptor().readable(); });
  const PipePool::Lease pipe = PipePool::of(loop).take();
  EXPECT_EQ(pipe->fill(from.stream).size, 4u);
  to.other.reset();
  auto* const before = std::signal(SIGPIPE, SIG_IGN);  // as setup_logging() does
  EXPECT_EQ(pipe->drain(to.stream).error, boost::asio::error::broken_pipe);
  std::signal(SIGPIPE, before);
  EXPECT_EQ(pipe->size(), 4u);
  const PipePool::Lease other = PipePool::of(loop).take();
  EXPECT_EQ(other->fill(from.stream).error, boost::asio::error::eof);
}

TEST(PipePool, AReceiverThatIsFullBlocksAndKeepsTheRest) {
  EventLoop loop;
  SocketPair from(loop), to(loop);
  const PipePool::Lease pipe = PipePool::of(loop).take();
  std::size_t sent = 0, drained = 0;
  IoResult put;
  while (!put.error) {
    if (pipe->size() == 0) {
      from.send(std::string(50'000, 'x'));
      sent += 50'000;
      run_until(loop, [&] { return from.stream.descriptor().readable(); });
      ASSERT_FALSE(pipe->fill(from.stream).error);
    }
    put = pipe->drain(to.stream);
    drained += put.size;
  }
  EXPECT_EQ(put.error, boost::asio::error::would_block);
  EXPECT_FALSE(to.stream.descriptor().writable());
  EXPECT_GT(pipe->size(), 0u);
  std::string got = to.receive();
  run_until(loop, [&] { return to.stream.descriptor().writable(); });
  while (got.size() < sent) {
    if (pipe->size() == 0) ASSERT_FALSE(pipe->fill(from.stream).error);
    pipe->drain(to.stream);
    got += to.receive();
    loop.run_once(std::chrono::milliseconds(0));
  }
  EXPECT_EQ(got, std::string(sent, 'x'));
}

TEST(PipePool, KeepsAFewEmptyOnesAndNoneWithOctetsInIt) {
  EventLoop loop;
  PipePool& pool = PipePool::of(loop);
  EXPECT_EQ(&pool, &PipePool::of(loop));
  {
    std::vector<PipePool::Lease> leases;
    for (std::size_t i = 0; i < PipePool::max_idle + 3; ++i) leases.push_back(pool.take());
    EXPECT_EQ(pool.in_use(), leases.size());
  }
  EXPECT_EQ(pool.in_use(), 0u);
  EXPECT_EQ(pool.idle(), PipePool::max_idle);
  SocketPair from(loop);
  from.send("left behind");
  run_until(loop, [&] { return from.stream.descriptor().readable(); });
  ASSERT_EQ(pool.take()->fill(from.stream).size, 11u);
  EXPECT_EQ(pool.idle(), PipePool::max_idle - 1);
}

TEST(PipePool, HasALimit) {
  EventLoop loop;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur < 2 * PipePool::max_pipes + 100) GTEST_SKIP() << "too few descriptors: ulimit -n";
  std::vector<PipePool::Lease> leases;
  while (PipePool::Lease lease = PipePool::of(loop).take()) leases.push_back(std::move(lease));
  // An unprivileged user has fewer: fs.pipe-user-pages-soft.
  EXPECT_LE(leases.size(), PipePool::max_pipes);
  EXPECT_GE(leases.size(), 8u);
}

TEST(PipePool, GivesNoneWhereTheSystemHasNone) {
  EventLoop loop;
  PipePool& pool = PipePool::of(loop);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const int next = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
  ::close(next);
  rlimit few = files;
  few.rlim_cur = static_cast<rlim_t>(next) + 1;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const PipePool::Lease none = pool.take();
  ::setrlimit(RLIMIT_NOFILE, &files);
  EXPECT_EQ(none, nullptr);
  EXPECT_EQ(pool.take(), nullptr) << "nor is it asked again at once";
  EXPECT_EQ(pool.in_use(), 0u);
}

}  // namespace
}  // namespace telltale::proxy
