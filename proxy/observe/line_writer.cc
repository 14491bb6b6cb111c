#include "proxy/observe/line_writer.h"

#include <climits>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace telltale::proxy {
namespace {

constexpr std::size_t early_flush_bytes = 64 * 1024;
constexpr std::size_t compact_bytes = 64 * 1024;
constexpr auto farewell_patience = std::chrono::seconds(1);

/// O_NONBLOCK means nothing to a regular file, and keeps a FIFO without a reader from stopping us for ever.
int open_path(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

/// Standard output anew: O_NONBLOCK on the inherited description would hit everybody who shares it, the shell included.
/// A socket cannot be opened so, nor a pipe of another user's. A regular file keeps its description, because standard
/// error may share its offset.
int open_standard_output() {
  struct stat status{};
  if (::fstat(STDOUT_FILENO, &status) == 0 && !S_ISREG(status.st_mode)) {
    const int descriptor = ::open("/proc/self/fd/1", O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (descriptor >= 0) return descriptor;
  }
  return ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
}

int open_or_throw(const std::string& path) {
  const int descriptor = path.empty() ? open_standard_output() : open_path(path);
  if (descriptor < 0) {
    throw std::system_error(errno, std::generic_category(),
                            "access log " + (path.empty() ? "on standard output" : path));
  }
  return descriptor;
}

bool is_writable(int descriptor, int patience_milliseconds) {
  pollfd entry{descriptor, POLLOUT, 0};
  return ::poll(&entry, 1, patience_milliseconds) > 0;
}

}  // namespace

struct LineWriter::Output {
  dev_t device = 0;
  ino_t inode = 0;
  std::atomic_flag taken = ATOMIC_FLAG_INIT;
};

std::shared_ptr<LineWriter::Output> LineWriter::shared_output(int descriptor) {
  struct stat status{};
  if (::fstat(descriptor, &status) != 0 || S_ISREG(status.st_mode)) return nullptr;
  static std::mutex mutex;
  static std::vector<std::weak_ptr<Output>> outputs;
  const std::lock_guard lock(mutex);
  std::erase_if(outputs, [](const std::weak_ptr<Output>& entry) { return entry.expired(); });
  for (const auto& entry : outputs) {
    const auto output = entry.lock();
    if (output && output->device == status.st_dev && output->inode == status.st_ino) return output;
  }
  auto output = std::make_shared<Output>();
  output->device = status.st_dev;
  output->inode = status.st_ino;
  outputs.push_back(output);
  return output;
}

LineWriter::LineWriter(const std::string& path) : LineWriter(open_or_throw(path), path) {}

LineWriter::LineWriter(int descriptor, std::string path) : path_(std::move(path)) {
  attach(descriptor);
  buffer_.reserve(early_flush_bytes);
}

void LineWriter::attach(int descriptor) {
  descriptor_ = descriptor;
  output_ = shared_output(descriptor);
  struct stat status{};
  socket_ = ::fstat(descriptor, &status) == 0 && S_ISSOCK(status.st_mode);
  may_block_ = output_ && !socket_ && (::fcntl(descriptor, F_GETFL) & O_NONBLOCK) == 0;
}

LineWriter::~LineWriter() {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + farewell_patience;
  for (flush(); pending() && last_ != Progress::failed && Clock::now() < deadline; flush()) {
    // Not writable, or another writer is within its line: both end soon or not at all.
    if (!is_writable(descriptor_, 10)) continue;
    if (!holds_output_) std::this_thread::yield();
  }
  release_output();
  ::close(descriptor_);
}

void LineWriter::commit() {
  if (last_ == Progress::some && buffer_.size() - written_ > early_flush_bytes) flush();
  if (buffer_.size() - written_ > max_pending_bytes && written_ <= line_start_) {
    buffer_.resize(line_start_);
    ++dropped_;
  }
  line_start_ = buffer_.size();
}

void LineWriter::flush() {
  if (!pending() || !take_output()) return;
  do {
    last_ = write_chunk();
  } while (last_ == Progress::some && pending());
  compact();
  if (!mid_line_) release_output();
}

bool LineWriter::take_output() {
  if (!output_ || holds_output_) return true;
  constexpr int attempts = 32;  // a write to a pipe is a few microseconds
  for (int i = 0; i < attempts; ++i) {
    if (!output_->taken.test_and_set(std::memory_order_acquire)) return holds_output_ = true;
    std::this_thread::yield();
  }
  return false;
}

void LineWriter::release_output() {
  if (std::exchange(holds_output_, false)) output_->taken.clear(std::memory_order_release);
}

/// A regular file takes everything. For the rest, whole lines within PIPE_BUF, which a pipe takes whole or not at all
/// (POSIX write()); or one longer line.
std::size_t LineWriter::next_chunk() const {
  const std::string_view rest = std::string_view(buffer_).substr(written_);
  if (!output_) return rest.size();
  const std::size_t first_line = rest.find('\n') + 1;  // npos + 1 is 0, but every line ends
  if (mid_line_ || first_line > PIPE_BUF) return may_block_ ? std::min<std::size_t>(first_line, PIPE_BUF) : first_line;
  if (rest.size() <= PIPE_BUF) return rest.size();
  return rest.rfind('\n', PIPE_BUF - 1) + 1;
}

LineWriter::Progress LineWriter::write_chunk() {
  if (may_block_ && !is_writable(descriptor_, 0)) return Progress::none;
  const char* data = buffer_.data() + written_;
  const std::size_t size = next_chunk();
  const ssize_t result =
      socket_ ? ::send(descriptor_, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) : ::write(descriptor_, data, size);
  if (result > 0) {
    written_ += static_cast<std::size_t>(result);
    mid_line_ = buffer_[written_ - 1] != '\n';
    return Progress::some;
  }
  if (result == 0 || errno == EAGAIN) return Progress::none;
  if (errno == EINTR) return Progress::some;
  report(errno);
  return Progress::failed;
}

/// A full disk may get room again: its lines wait. A reader that went away does not come back.
void LineWriter::report(int error) {
  if (last_ != Progress::failed) {
    spdlog::error("access log {}: {}", path_.empty() ? "on standard output" : path_,
                  std::generic_category().message(error));
  }
  if (error == EPIPE || error == ECONNRESET || error == EBADF) drop_pending();
}

void LineWriter::drop_pending() {
  dropped_ += static_cast<std::uint64_t>(
      std::count(buffer_.begin() + static_cast<std::ptrdiff_t>(written_), buffer_.end(), '\n'));
  written_ = buffer_.size();
  mid_line_ = false;
}

void LineWriter::compact() {
  if (written_ == buffer_.size()) {
    buffer_.clear();
  } else if (written_ >= compact_bytes) {
    buffer_.erase(0, written_);
  } else {
    return;
  }
  line_start_ = line_start_ > written_ ? line_start_ - written_ : 0;
  written_ = 0;
}

void LineWriter::reopen() {
  if (path_.empty()) return;
  flush();
  const int fresh = open_path(path_);
  if (fresh < 0) {
    spdlog::error("cannot reopen access log {}: {}", path_, std::generic_category().message(errno));
    return;
  }
  if (mid_line_) {  // its beginning is in the old file
    written_ = buffer_.find('\n', written_) + 1;
    mid_line_ = false;
    ++dropped_;
    compact();
  }
  release_output();
  ::close(descriptor_);
  attach(fresh);
  last_ = Progress::some;
}

}  // namespace telltale::proxy
