#include "proxy/files/file_watcher.h"

#include "tests/unit/proxy/observe/temporary_directory.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace telltale::proxy {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

struct FileWatcherTest : testing::Test {
  test::TemporaryDirectory directory;
  boost::asio::io_context io{1};
  std::string file = directory / "watched";
  int calls = 0;
  FileWatcher watcher{io, file, [this] { ++calls; }, 1ms};

  static void write(const std::string& path, std::string_view text) { std::ofstream(path) << text; }
  /// The clock of a file system is coarse: two writes within one of its ticks look the same.
  static void touch(const std::string& path) { fs::last_write_time(path, fs::last_write_time(path) + 1s); }
  int look(int times) {
    for (int i = 0; i < times; ++i) watcher.look();
    return calls;
  }
};

TEST_F(FileWatcherTest, TellsOnceWhenItHasLookedTheSameTwice) {
  write(file, "a");
  EXPECT_EQ(look(1), 0);
  EXPECT_EQ(look(1), 1);
  EXPECT_EQ(look(3), 1) << "not again while nothing changes";
}

TEST_F(FileWatcherTest, SeesWritesInPlaceRenamesAndLinks) {
  write(file, "a");
  ASSERT_EQ(look(2), 1);
  write(file, "b");
  touch(file);
  EXPECT_EQ(look(2), 2) << "written in place, of the same size";
  write(directory / "new", "b");
  fs::rename(directory / "new", file);
  EXPECT_EQ(look(2), 3) << "replaced by rename";
  fs::remove(file);
  EXPECT_EQ(look(2), 4) << "gone";
  EXPECT_EQ(look(3), 4) << "still gone";
  fs::create_directory(directory / "data-1");
  write(directory / "data-1/watched", "c");
  fs::create_symlink("data-1", directory / "data");
  fs::create_symlink("data/watched", file);
  EXPECT_EQ(look(2), 5) << "there again, by links as in a ConfigMap";
  fs::create_directory(directory / "data-2");
  write(directory / "data-2/watched", "c");
  fs::create_symlink("data-2", directory / "data-new");
  fs::rename(directory / "data-new", directory / "data");
  EXPECT_EQ(look(2), 6) << "a link on the way was changed";
  EXPECT_EQ(look(3), 6);
}

TEST_F(FileWatcherTest, WaitsWhileItIsBeingWritten) {
  write(file, "a");
  ASSERT_EQ(look(2), 1);
  std::ofstream writer(file);
  for (int i = 0; i < 4; ++i) {
    writer << "line\n" << std::flush;
    EXPECT_EQ(look(1), 1) << "it has grown since the last look";
  }
  EXPECT_EQ(look(1), 2);
}

TEST_F(FileWatcherTest, WhatWasReadIsNoChange) {
  write(file, "a");
  watcher.about_to_read();
  EXPECT_EQ(look(3), 0);
  write(file, "ab");
  EXPECT_EQ(look(2), 1);
}

TEST_F(FileWatcherTest, LooksAgainAndAgain) {
  write(file, "a");
  watcher.start();
  io.run_one();
  EXPECT_EQ(calls, 1);
  write(file, "ab");
  io.run_one();
  io.run_one();
  EXPECT_EQ(calls, 2);
}

TEST_F(FileWatcherTest, StopEndsIt) {
  watcher.start();
  watcher.stop();
  io.run();
  EXPECT_EQ(calls, 0);
}

TEST_F(FileWatcherTest, StopEndsItFromWithinTheCall) {
  write(file, "a");
  FileWatcher* own = nullptr;
  FileWatcher stopping(io, file, [&] { ++calls, own->stop(); }, 1ms);
  own = &stopping;
  stopping.start();
  io.run();  // comes back: nothing is waited for
  EXPECT_EQ(calls, 1);
  write(file, "ab");
  io.restart();
  stopping.start();
  io.run();
  EXPECT_EQ(calls, 2) << "and it may be started again";
}

}  // namespace
}  // namespace telltale::proxy
