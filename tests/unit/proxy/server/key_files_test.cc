#include "proxy/server/key_files.h"

#include "tests/unit/proxy/observe/temporary_directory.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>

namespace telltale::proxy {
namespace {

const std::string first = "one AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
const std::string second = "two //////////////////////////////////////////8=\n";

void write(const std::string& path, const std::string& text, unsigned mode = 0600) {
  std::ofstream(path, std::ios::trunc) << text;
  ASSERT_EQ(::chmod(path.c_str(), mode), 0);
}

std::string why_not(const std::string& path) {
  try {
    read_key_file(path);
    return "";
  } catch (const KeyFileError& error) {
    return error.what();
  }
}

TEST(KeyFile, SaysWhatIsWrongWithIt) {
  const test::TemporaryDirectory directory;
  const std::string path = directory / "keys";
  EXPECT_EQ(why_not(path), "key file " + path + ": No such file or directory");
  EXPECT_EQ(why_not(directory / "."), "key file " + (directory / ".") + ": not a regular file");
  write(path, "one c2VjcmV0\n");
  EXPECT_EQ(
      why_not(path),
      "key file " + path + ": line 1: the key is not base64 of 32 to 64 octets; `openssl rand -base64 32` makes one");
  write(path, first + std::string(assertion::KeySet::max_file_octets, '#'));
  EXPECT_EQ(why_not(path), "key file " + path + ": longer than 4096 bytes");
  write(path, first);
  EXPECT_EQ(why_not(path), "");
}

TEST(KeyFile, SaysWhoMayReadIt) {
  const test::TemporaryDirectory directory;
  const std::string path = directory / "keys";
  write(path, first, 0640);
  EXPECT_FALSE(read_key_file(path).world_readable);
  write(path, first, 0644);
  EXPECT_TRUE(read_key_file(path).world_readable);
}

/// The ids of the keys in use, told by the change.
struct Watched {
  explicit Watched(const std::string& path) : files(control, {path}) {
    files.watch([this](std::size_t index, const std::shared_ptr<const assertion::KeySet>& keys) {
      EXPECT_EQ(index, 0U);
      ++changes;
      ids.clear();
      for (const auto& key : keys->keys()) ids += key.id + " ";
    });
  }
  /// A change is told at the second look that finds it.
  void look() {
    files.look();
    files.look();
  }
  boost::asio::io_context control;
  KeyFiles files;
  int changes = 0;
  std::string ids;
};

TEST(KeyFiles, AreReadAgainWhenTheyChange) {
  const test::TemporaryDirectory directory;
  const std::string path = directory / "keys";
  write(path, first);
  Watched watched(path);
  ASSERT_EQ(watched.files.take_keys().at(0)->keys().front().id, "one");
  watched.look();
  EXPECT_EQ(watched.changes, 0) << "nothing has changed";

  write(path, second + first);
  watched.look();
  EXPECT_EQ(watched.ids, "two one ");

  write(path, "two short\n");
  watched.look();
  EXPECT_EQ(watched.changes, 1) << "the last good ones stay";

  const std::string next = directory / "next";
  write(next, second);
  std::filesystem::rename(next, path);
  watched.look();
  EXPECT_EQ(watched.ids, "two ") << "replaced, not written to";

  std::filesystem::remove(path);
  watched.look();
  EXPECT_EQ(watched.changes, 2);
  write(path, first);
  watched.look();
  EXPECT_EQ(watched.ids, "one ");
}

TEST(KeyFiles, FollowSymbolicLinks) {
  const test::TemporaryDirectory directory;
  const std::string a = directory / "a", b = directory / "b", link = directory / "keys";
  write(a, first);
  write(b, second);
  std::filesystem::create_symlink(a, link);
  Watched watched(link);
  const std::string next = directory / "next";
  std::filesystem::create_symlink(b, next);
  std::filesystem::rename(next, link);
  watched.look();
  EXPECT_EQ(watched.ids, "two ");
}

TEST(KeyFiles, MustBeGoodAtTheStart) {
  const test::TemporaryDirectory directory;
  boost::asio::io_context control;
  EXPECT_THROW(KeyFiles(control, {directory / "none"}), KeyFileError);
}

}  // namespace
}  // namespace telltale::proxy
