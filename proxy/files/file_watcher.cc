#include "proxy/files/file_watcher.h"

#include <sys/stat.h>
#include <utility>

namespace telltale::proxy {

bool FileWatcher::Look::operator==(const Look& other) const {
  const auto same = [](const std::timespec& x, const std::timespec& y) {
    return x.tv_sec == y.tv_sec && x.tv_nsec == y.tv_nsec;
  };
  return device == other.device && inode == other.inode && size == other.size && same(modified, other.modified) &&
         same(status_changed, other.status_changed);
}

FileWatcher::Look FileWatcher::look_at(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, status.st_size, status.st_mtim, status.st_ctim};
}

FileWatcher::FileWatcher(boost::asio::io_context& control, std::string path, std::function<void()> changed,
                         std::chrono::milliseconds interval)
    : path_(std::move(path)), changed_(std::move(changed)), interval_(interval), timer_(control) {}

void FileWatcher::about_to_read() { told_ = look_at(path_); }

void FileWatcher::start() {
  started_ = true;
  look();
  if (started_) wait();
}

void FileWatcher::stop() {
  started_ = false;
  timer_.cancel();
}

void FileWatcher::wait() {
  timer_.expires_after(interval_);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error || !started_) return;
    look();
    if (started_) wait();
  });
}

void FileWatcher::look() {
  const Look now = look_at(path_);
  if (told_ == now) {
    seen_.reset();
  } else if (seen_ == now) {
    told_ = std::exchange(seen_, std::nullopt);
    changed_();
  } else {
    seen_ = now;
  }
}

}  // namespace telltale::proxy
