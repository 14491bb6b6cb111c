#pragma once

#include "protocol/assertion/key_set.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
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
  /// Reads them all: throws KeyFileError. A file that everybody may read is warned about. `interval`: how long after a
  /// change it is seen, at most.
  KeyFiles(boost::asio::io_context& control, const std::vector<std::string>& paths,
           std::chrono::milliseconds interval = std::chrono::seconds(1));

  /// What was read first, in the order of the paths. Given away, so that the keys go once they are made ready for use.
  KeySets take_keys() { return std::move(keys_); }

  /// From now on `change` is told of every file that has changed and can be used. One that cannot leaves the last good
  /// keys in place, and is logged once.
  void watch(Change change);
  void stop() { timer_.cancel(); }

 private:
  /// What tells one version of a file from the next, a replaced one and a moved symbolic link included.
  struct Stamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = -1;
    std::int64_t modified = 0, changed = 0;  ///< nanoseconds
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  static Stamp stamp_of(const std::string& path);
  void wait();
  void look();
  void reload(std::size_t index);

  boost::asio::steady_timer timer_;
  std::chrono::milliseconds interval_;
  std::vector<std::string> paths_;
  std::vector<Stamp> stamps_;
  KeySets keys_;
  Change change_;
};

}  // namespace telltale::proxy
