#include "proxy/server/key_files.h"

#include "proxy/net/unique_fd.h"

#include <spdlog/spdlog.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
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
    : paths_(paths) {
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    watchers_.emplace_back(control, paths_[i], [this, i] { reload(i); }, interval).about_to_read();
    const KeyFile file = read_key_file(paths_[i]);
    warn_of_readers(paths_[i], file);
    keys_.push_back(file.keys);
  }
}

void KeyFiles::watch(Change change) {
  change_ = std::move(change);
  for (auto& watcher : watchers_) watcher.start();
}

void KeyFiles::stop() {
  for (auto& watcher : watchers_) watcher.stop();
}

void KeyFiles::look() {
  for (auto& watcher : watchers_) watcher.look();
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
  change_(index, std::move(file.keys));
}

}  // namespace telltale::proxy
