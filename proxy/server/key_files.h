#pragma once

#include "protocol/assertion/key_set.h"
#include "proxy/files/file_watcher.h"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace telltale::proxy {

/// Why a key file cannot be used: a fault of the configuration. `what()` names the file and holds nothing of a key.
struct KeyFileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What a key file held, and whether everybody on this machine may read it.
struct KeyFile {
  std::shared_ptr<const assertion::KeySet> keys;
  bool world_readable = false;
};
/// Reads one file; the octets that were read are wiped. Throws KeyFileError.
KeyFile read_key_file(const std::string& path);

/// The key files of the configuration, watched. Control thread only.
class KeyFiles {
 public:
  using KeySets = std::vector<std::shared_ptr<const assertion::KeySet>>;
  using Change = std::function<void(std::size_t index, std::shared_ptr<const assertion::KeySet>)>;
  /// Reads them all: throws KeyFileError. A file that everybody may read is warned about.
  KeyFiles(boost::asio::io_context& control, const std::vector<std::string>& paths,
           std::chrono::milliseconds interval = FileWatcher::default_interval);
  KeyFiles(const KeyFiles&) = delete;
  KeyFiles& operator=(const KeyFiles&) = delete;

  /// What was read first, in the order of the paths. Given away, so that the keys go once they are made ready for use.
  KeySets take_keys() { return std::move(keys_); }

  /// From now on `change` is told of every file that has changed and can be used. One that cannot leaves the last good
  /// keys in place, and is logged once.
  void watch(Change change);
  void stop();
  /// One look at each of them, as every interval brings one.
  void look();

 private:
  void reload(std::size_t index);

  std::vector<std::string> paths_;
  std::deque<FileWatcher> watchers_;  ///< one for each path
  KeySets keys_;
  Change change_;
};

}  // namespace telltale::proxy
