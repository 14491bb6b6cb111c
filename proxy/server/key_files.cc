#include "proxy/server/key_files.h"

#include "proxy/files/small_file.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace telltale::proxy {
namespace {

void warn_of_readers(const std::string& path, const KeyFile& file) {
  if (!file.world_readable) return;
  spdlog::warn("key file {}: everybody on this machine may read it, and sign with it; chmod 0600", path);
}

}  // namespace

KeyFile read_key_file(const std::string& path) try {
  const SmallFile file(path, assertion::KeySet::max_file_octets);
  std::string problem;
  auto keys = assertion::KeySet::parse(file.octets(), problem);
  if (!keys) throw std::runtime_error(path + ": " + problem);
  return {std::make_shared<const assertion::KeySet>(std::move(*keys)), file.world_readable()};
} catch (const std::runtime_error& error) {
  throw KeyFileError(std::string("key file ") + error.what());
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
