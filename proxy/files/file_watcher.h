#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>

namespace telltale::proxy {

/// Tells when the file at a path has become another one: written in place, replaced by rename, or reached through links
/// that were changed (a ConfigMap's `..data`). It looks, rather than being told by inotify, because that watches an
/// inode or a directory and not what a path leads to, and knows nothing of network file systems. Control thread only.
class FileWatcher {
 public:
  static constexpr std::chrono::milliseconds default_interval{500};

  /// `changed` is called once for each change, when the file has looked the same for an interval: not while somebody is
  /// still writing to it. A file that vanishes has changed.
  FileWatcher(boost::asio::io_context& control, std::string path, std::function<void()> changed,
              std::chrono::milliseconds interval = default_interval);

  /// To be called just before the file is read: what it is now is known, and only what it becomes is told. Without
  /// this the first call of `changed` comes soon after start().
  void about_to_read();
  /// Looks now, and then once every interval.
  void start();
  /// Idempotent; from within `changed`, too. start() may follow.
  void stop();
  /// One look.
  void look();

 private:
  /// What tells one state of a file from another; all zero: there is none.
  struct Look {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::timespec modified{}, status_changed{};
    bool operator==(const Look& other) const;
  };
  static Look look_at(const std::string& path);

  void wait();

  std::string path_;
  std::function<void()> changed_;
  std::chrono::milliseconds interval_;
  boost::asio::steady_timer timer_;
  bool started_ = false;
  std::optional<Look> told_;  ///< the last one that changed_ was called for
  std::optional<Look> seen_;  ///< the last one, if it is another
};

}  // namespace telltale::proxy
