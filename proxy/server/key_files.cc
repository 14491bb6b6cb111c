#include "proxy/server/key_files.h"

#include "proxy/net/unique_fd.h"

#include <spdlog/spdlog.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace telltale::proxy {
namespace {

using Octets = std::array<char, assertion::KeySet::max_file_octets + 1>;

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  throw KeyFileError("key file " + path + ": " + why);
}

/// Wiped however it is left.
struct WipedOctets {
  Octets octets{};
  ~WipedOctets() { assertion::wipe(octets.data(), octets.size()); }
};

std::size_t read_all(const std::string& path, int fd, Octets& octets) {
  std::size_t size = 0;
  while (size < octets.size()) {
    const ssize_t got = ::read(fd, octets.data() + size, octets.size() - size);
    if (got == 0) return size;
    if (got > 0) size += static_cast<std::size_t>(got);
    if (got < 0 && errno != EINTR) fail(path, std::system_category().message(errno));
  }
  fail(path, "longer than " + std::to_string(octets.size() - 1) + " bytes");
}

std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

void warn_of_readers(const std::string& path, const KeyFile& file) {
  if (!file.world_readable) return;
  spdlog::warn("key file {}: everybody on this machine may read it, and sign with it; chmod 0600", path);
}

}  // namespace

KeyFile read_key_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0) fail(path, std::system_category().message(errno));
  if (!S_ISREG(status.st_mode)) fail(path, "not a regular file");
  WipedOctets buffer;
  const std::size_t size = read_all(path, fd.get(), buffer.octets);
  std::string problem;
  auto keys = assertion::KeySet::parse({buffer.octets.data(), size}, problem);
  if (!keys) fail(path, problem);
  return {std::make_shared<const assertion::KeySet>(std::move(*keys)), (status.st_mode & S_IROTH) != 0};
}

KeyFiles::KeyFiles(boost::asio::io_context& control, const std::vector<std::string>& paths,
                   std::chrono::milliseconds interval)
    : timer_(control), interval_(interval), paths_(paths) {
  for (const std::string& path : paths_) {
    stamps_.push_back(stamp_of(path));
    const KeyFile file = read_key_file(path);
    warn_of_readers(path, file);
    keys_.push_back(file.keys);
  }
}

KeyFiles::Stamp KeyFiles::stamp_of(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, status.st_size, nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

void KeyFiles::watch(Change change) {
  change_ = std::move(change);
  if (!paths_.empty()) wait();
}

void KeyFiles::wait() {
  timer_.expires_after(interval_);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    look();
    wait();
  });
}

void KeyFiles::look() {
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    // Taken before it is read: a change meanwhile is seen next time.
    const Stamp stamp = stamp_of(paths_[i]);
    if (stamp == stamps_[i]) continue;
    stamps_[i] = stamp;
    reload(i);
  }
}

void KeyFiles::reload(std::size_t index) {
  KeyFile file;
  try {
    file = read_key_file(paths_[index]);
  } catch (const KeyFileError& error) {
    spdlog::error("{}; the keys it had stay in use", error.what());
    return;
  }
  warn_of_readers(paths_[index], file);
  std::string ids;
  for (const auto& key : file.keys->keys()) ids += (ids.empty() ? "" : ", ") + key.id;
  change_(index, std::move(file.keys));
  spdlog::info("key file {}: read again, keys {}", paths_[index], ids);
}

}  // namespace telltale::proxy
