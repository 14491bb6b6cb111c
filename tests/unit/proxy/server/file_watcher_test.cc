#include "proxy/server/file_watcher.h"

#include "tests/unit/proxy/observe/temporary_directory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace telltale::proxy {
namespace {

namespace fs = std::filesystem;

struct FileWatcherTest : testing::Test {
  test::TemporaryDirectory directory;
  boost::asio::io_context io{1};
  std::string file = directory / "watched";
  int calls = 0;
  FileWatcher watcher{io, file, [this] { ++calls; }};

  static void write(const std::string& path, std::string_view text) { std::ofstream(path) << text; }
  /// Runs until `count` calls have come, or several intervals have passed.
  int run_until(int count) {
    const auto deadline = std::chrono::steady_clock::now() + 20 * FileWatcher::interval;
    while (calls < count && std::chrono::steady_clock::now() < deadline) io.run_one_for(FileWatcher::interval);
    return calls;
  }
  /// Runs for so many looks.
  int run_looks(int looks) {
    for (int i = 0; i < looks; ++i) io.run_one();
    return calls;
  }
};

TEST_F(FileWatcherTest, TellsOnceSoonAfterTheStart) {
  write(file, "a");
  watcher.start();
  EXPECT_EQ(run_until(1), 1);
  EXPECT_EQ(run_looks(3), 1) << "not again while nothing changes";
}

TEST_F(FileWatcherTest, SeesWritesInPlaceRenamesAndLinks) {
  write(file, "a");
  watcher.start();
  ASSERT_EQ(run_until(1), 1);
  write(file, "b");
  EXPECT_EQ(run_until(2), 2) << "written in place, of the same size";
  write(directory / "new", "b");
  fs::rename(directory / "new", file);
  EXPECT_EQ(run_until(3), 3) << "replaced by rename";
  fs::remove(file);
  EXPECT_EQ(run_until(4), 4) << "gone";
  EXPECT_EQ(run_looks(3), 4) << "still gone";
  fs::create_directory(directory / "data-1");
  write(directory / "data-1/watched", "c");
  fs::create_symlink("data-1", directory / "data");
  fs::create_symlink("data/watched", file);
  EXPECT_EQ(run_until(5), 5) << "there again, by links as in a ConfigMap";
  fs::create_directory(directory / "data-2");
  write(directory / "data-2/watched", "c");
  fs::create_symlink("data-2", directory / "data-new");
  fs::rename(directory / "data-new", directory / "data");
  EXPECT_EQ(run_until(6), 6) << "a link on the way was changed";
  EXPECT_EQ(run_looks(3), 6);
}

TEST_F(FileWatcherTest, WaitsWhileItIsBeingWritten) {
  write(file, "a");
  watcher.start();
  ASSERT_EQ(run_until(1), 1);
  std::ofstream writer(file);
  for (int i = 0; i < 4; ++i) {
    writer << "line\n" << std::flush;
    EXPECT_EQ(run_looks(1), 1) << "it has grown since the last look";
  }
  EXPECT_EQ(run_until(2), 2);
}

TEST_F(FileWatcherTest, StopEndsIt) {
  watcher.start();
  watcher.stop();
  io.run();
  EXPECT_EQ(calls, 0);
}

}  // namespace
}  // namespace telltale::proxy
