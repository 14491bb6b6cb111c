#include "proxy/observe/line_writer.h"

#include "tests/unit/proxy/observe/temporary_directory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace telltale::proxy {
namespace {

void put(LineWriter& writer, const std::string& line) {
  writer.buffer() += line + '\n';
  writer.commit();
}

struct Pipe {
  int reader = -1, writer = -1;
  explicit Pipe(int flags = O_NONBLOCK) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    reader = ends[0], writer = ends[1];
    ::fcntl(writer, F_SETFL, flags);
    ::fcntl(writer, F_SETPIPE_SZ, 4096);
  }
  ~Pipe() { close_reader(); }
  void close_reader() {
    if (reader >= 0) ::close(std::exchange(reader, -1));
  }
  /// What is there, or up to the end if `all`.
  std::string read(bool all = false) const {
    std::string out;
    char chunk[4096];
    ::fcntl(reader, F_SETFL, all ? 0 : O_NONBLOCK);
    for (ssize_t size; (size = ::read(reader, chunk, sizeof chunk)) > 0;)
      out.append(chunk, static_cast<std::size_t>(size));
    return out;
  }
};

struct LineWriterTest : ::testing::Test {
  LineWriterTest() { std::signal(SIGPIPE, SIG_IGN); }
};

TEST_F(LineWriterTest, SlowPipeGetsEveryLineWholeAndInOrder) {
  const Pipe pipe;
  LineWriter writer(pipe.writer);
  std::string expected, received;
  for (int i = 0; i < 300; ++i) {
    const std::string line = std::to_string(i) + std::string(static_cast<std::size_t>(i % 90), 'x');
    expected += line + '\n';
    put(writer, line);
  }
  writer.flush();
  EXPECT_TRUE(writer.pending()) << "the pipe holds 4 KiB";
  while (writer.pending()) {
    const std::string part = pipe.read();
    ASSERT_TRUE(part.ends_with('\n')) << "lines within PIPE_BUF go whole or not at all";
    received += part;
    writer.flush();
  }
  received += pipe.read();
  EXPECT_EQ(received, expected);
  EXPECT_EQ(writer.dropped(), 0u);
}

TEST_F(LineWriterTest, LineLongerThanThePipeIsFinishedLater) {
  const Pipe pipe;
  LineWriter writer(pipe.writer);
  const std::string line(20'000, 'y');
  put(writer, line);
  put(writer, "next");
  std::string received;
  while (writer.pending()) {
    writer.flush();
    received += pipe.read();
  }
  EXPECT_EQ(received, line + "\nnext\n");
}

TEST_F(LineWriterTest, DescriptorInBlockingModeIsNeverWaitedFor) {
  const Pipe pipe(0);
  LineWriter writer(pipe.writer);
  const std::string line(20'000, 'y');
  put(writer, line);
  for (int i = 0; i < 100; ++i) put(writer, std::to_string(i));
  std::string received;
  while (writer.pending()) {
    writer.flush();
    received += pipe.read();
  }
  EXPECT_TRUE(received.starts_with(line + "\n0\n1\n"));
  EXPECT_TRUE(received.ends_with("\n98\n99\n"));
}

TEST_F(LineWriterTest, LinesBeyondTheBoundAreDroppedAndCounted) {
  Pipe pipe;
  LineWriter writer(pipe.writer);
  const std::string line(999, 'z');
  constexpr std::size_t lines = 3000;
  for (std::size_t i = 0; i < lines; ++i) put(writer, line);
  constexpr std::size_t already_out = 64 * 1024;  // kept until it is worth moving the rest
  EXPECT_LE(writer.buffer().size(), LineWriter::max_pending_bytes + already_out + line.size());
  EXPECT_GT(writer.dropped(), 0u);
  std::string received;
  while (writer.pending()) {
    writer.flush();
    received += pipe.read();
  }
  EXPECT_EQ(received.size(), (lines - writer.dropped()) * 1000);
  EXPECT_EQ(static_cast<std::size_t>(std::count(received.begin(), received.end(), '\n')), lines - writer.dropped());
  const std::uint64_t dropped = writer.dropped();
  put(writer, "again");
  writer.flush();
  EXPECT_EQ(pipe.read(), "again\n");
  EXPECT_EQ(writer.dropped(), dropped);
}

TEST_F(LineWriterTest, ReaderThatWentAwayCostsItsLinesOnly) {
  Pipe pipe;
  LineWriter writer(pipe.writer);
  pipe.close_reader();
  put(writer, "one"), put(writer, "two");
  writer.flush();
  EXPECT_FALSE(writer.pending());
  EXPECT_EQ(writer.dropped(), 2u);
}

TEST_F(LineWriterTest, WriterWaitsWhileAnotherIsWithinItsLine) {
  const Pipe pipe;
  LineWriter first(pipe.writer);
  LineWriter second(::fcntl(pipe.writer, F_DUPFD_CLOEXEC, 0));
  const std::string line(10'000, 'a');
  put(first, line);
  put(second, "b");
  first.flush();
  second.flush();
  EXPECT_TRUE(second.pending());
  std::string received;
  while (first.pending() || second.pending()) {
    received += pipe.read();
    second.flush();
    first.flush();
  }
  received += pipe.read();
  EXPECT_EQ(received, line + "\nb\n");
}

TEST_F(LineWriterTest, ManyThreadsOnOnePipeNeverSplitALine) {
  auto pipe = std::make_unique<Pipe>();
  constexpr int threads = 4, lines = 400;
  std::vector<std::unique_ptr<LineWriter>> writers;
  for (int i = 0; i < threads; ++i) {
    writers.push_back(std::make_unique<LineWriter>(::fcntl(pipe->writer, F_DUPFD_CLOEXEC, 0)));
  }
  ::close(pipe->writer);
  std::string received;
  std::thread reader([&] { received = pipe->read(true); });
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&, i] {
      for (int n = 0; n < lines; ++n) {
        const std::size_t size = n % 50 == 0 ? 9000 : static_cast<std::size_t>(10 + n);
        put(*writers[static_cast<std::size_t>(i)], std::string(size, static_cast<char>('a' + i)));
        writers[static_cast<std::size_t>(i)]->flush();
      }
      while (writers[static_cast<std::size_t>(i)]->pending()) {
        writers[static_cast<std::size_t>(i)]->flush();
        std::this_thread::yield();
      }
      writers[static_cast<std::size_t>(i)].reset();
    });
  }
  for (auto& worker : workers) worker.join();
  reader.join();
  int count = 0;
  for (std::size_t begin = 0; begin < received.size(); ++count) {
    const std::size_t end = received.find('\n', begin);
    ASSERT_NE(end, std::string::npos);
    const std::string_view line(received.data() + begin, end - begin);
    ASSERT_EQ(line.find_first_not_of(line[0]), std::string_view::npos) << "lines are mixed";
    begin = end + 1;
  }
  EXPECT_EQ(count, threads * lines);
}

TEST_F(LineWriterTest, SocketIsWrittenToWithoutWaiting) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  LineWriter writer(ends[0]);
  const std::string line(100'000, 's');
  for (int i = 0; i < 5; ++i) put(writer, line);
  std::string received;
  char chunk[65536];
  while (received.size() < 5 * (line.size() + 1)) {
    writer.flush();
    const ssize_t size = ::recv(ends[1], chunk, sizeof chunk, 0);
    ASSERT_GT(size, 0);
    received.append(chunk, static_cast<std::size_t>(size));
  }
  EXPECT_FALSE(writer.pending());
  ::close(ends[1]);
  put(writer, "lost");
  writer.flush();
  EXPECT_EQ(writer.dropped(), 1u);
}

TEST_F(LineWriterTest, EndWritesWhatWaits) {
  const Pipe pipe;
  std::string received;
  std::thread reader;
  {
    LineWriter writer(pipe.writer);
    for (int i = 0; i < 2000; ++i) put(writer, "0123456789");
    writer.flush();
    EXPECT_TRUE(writer.pending());
    reader = std::thread([&] { received = pipe.read(true); });
  }
  reader.join();
  EXPECT_EQ(received.size(), 22'000u);
}

TEST_F(LineWriterTest, FullDiskKeepsLinesForLater) {
  LineWriter writer(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  put(writer, "kept");
  writer.flush();
  EXPECT_TRUE(writer.pending());
  EXPECT_EQ(writer.dropped(), 0u);
}

TEST_F(LineWriterTest, FileThatCannotBeReopenedIsKept) {
  const test::TemporaryDirectory directory;
  const std::string folder = directory / "folder";
  std::filesystem::create_directory(folder);
  LineWriter writer(folder + "/log");
  std::filesystem::rename(folder, directory / "moved");
  put(writer, "a");
  writer.reopen();
  put(writer, "b");
  writer.flush();
  EXPECT_EQ(test::read_file(directory / "moved/log"), "a\nb\n");
}

TEST_F(LineWriterTest, FileIsNotReadableByEverybody) {
  const test::TemporaryDirectory directory;
  const LineWriter writer(directory / "log");
  const auto permissions = std::filesystem::status(directory / "log").permissions();
  EXPECT_EQ(permissions & std::filesystem::perms::others_all, std::filesystem::perms::none)
      << "it holds client addresses";
}

}  // namespace
}  // namespace telltale::proxy
