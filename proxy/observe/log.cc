#include "proxy/observe/log.h"

#include "proxy/observe/escape.h"
#include "proxy/observe/timestamp.h"

#include <spdlog/formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <memory>
#include <mutex>
#include <poll.h>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace telltale::proxy {
namespace {

std::string_view level_name(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
      return "trace";
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::info:
      return "info";
    case spdlog::level::warn:
      return "warn";
    case spdlog::level::err:
      return "error";
    default:
      return "critical";
  }
}

std::string_view level_colour(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return "\x1b[2m";
    case spdlog::level::info:
      return "\x1b[32m";
    case spdlog::level::warn:
      return "\x1b[33m";
    default:
      return "\x1b[31m";
  }
}

class LineFormatter : public spdlog::formatter {
 public:
  LineFormatter(conf::LogFormat format, bool colours) : format_(format), colours_(colours) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    line_.clear();
    const std::string_view text(message.payload.data(), message.payload.size());
    format_ == conf::LogFormat::json ? format_json(message, text) : format_human(message, text);
    out.append(line_.data(), line_.data() + line_.size());
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(format_, colours_);
  }

 private:
  void format_json(const spdlog::details::log_msg& message, std::string_view text) {
    line_ += "{\"time\":\"";
    line_ += timestamp_.format(message.time);
    line_ += "\",\"level\":\"";
    line_ += level_name(message.level);
    line_ += "\",\"message\":\"";
    append_json_escaped(line_, text);
    line_ += "\"}\n";
  }

  void format_human(const spdlog::details::log_msg& message, std::string_view text) {
    line_ += timestamp_.format(message.time);
    line_ += ' ';
    const std::string_view level = level_name(message.level);
    if (colours_) line_ += level_colour(message.level);
    line_ += level;
    if (colours_) line_ += "\x1b[0m";
    line_.append(level.size() < 5 ? 6 - level.size() : 1, ' ');
    append_readable(line_, text);
    line_ += '\n';
  }

  conf::LogFormat format_;
  bool colours_;
  Timestamp timestamp_;
  std::string line_;
};

/// An owned descriptor, or standard error.
class Output {
 public:
  Output() = default;
  ~Output() {
    if (descriptor_ != STDERR_FILENO) ::close(descriptor_);
  }
  Output(Output&& other) noexcept : descriptor_(std::exchange(other.descriptor_, STDERR_FILENO)) {}
  Output& operator=(Output&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

  /// Appends to `path`; empty: standard error.
  static Output open(const std::string& path) {
    Output output;
    if (path.empty()) return output;
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "log file " + path);
    output.descriptor_ = descriptor;
    return output;
  }

  bool is_terminal() const { return ::isatty(descriptor_) == 1; }

  void write_all(const char* data, std::size_t size) const {
    constexpr int patience_milliseconds = 100;  // a reader that is slower than that loses lines, not our time
    while (size > 0) {
      const ssize_t written = ::write(descriptor_, data, size);
      if (written >= 0) {
        data += written;
        size -= static_cast<std::size_t>(written);
      } else if (errno == EAGAIN) {
        pollfd writable{descriptor_, POLLOUT, 0};
        if (::poll(&writable, 1, patience_milliseconds) <= 0) return;
      } else if (errno != EINTR) {
        return;  // there is nobody left to tell
      }
    }
  }

 private:
  int descriptor_ = STDERR_FILENO;
};

/// One write(2) a message, so that nothing is lost in a buffer when the process ends. There is one sink and one logger
/// for the life of the process: spdlog::set_default_logger() may not be called while other threads log, so that a
/// reload changes what is inside.
class Sink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void configure(const conf::Log& conf) {
    Output output = Output::open(conf.file);
    auto formatter =
        std::make_unique<LineFormatter>(conf.format, conf.format == conf::LogFormat::human && output.is_terminal());
    const std::lock_guard lock(mutex_);
    path_ = conf.file;
    output_ = std::move(output);
    formatter_ = std::move(formatter);
  }

  void reopen() {
    const std::lock_guard lock(mutex_);
    output_ = Output::open(path_);
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    buffer_.clear();
    formatter_->format(message, buffer_);
    output_.write_all(buffer_.data(), buffer_.size());
  }
  void flush_() override {}

  std::string path_;
  Output output_;
  spdlog::memory_buf_t buffer_;
};

struct Logging {
  std::shared_ptr<Sink> sink = std::make_shared<Sink>();
  std::shared_ptr<spdlog::logger> logger = std::make_shared<spdlog::logger>("telltale", sink);
};
Logging& logging() {
  static Logging instance;
  return instance;
}

}  // namespace

void setup_logging(const conf::Log& conf) {
  std::signal(SIGPIPE, SIG_IGN);
  Logging& log = logging();
  log.sink->configure(conf);
  log.logger->set_level(spdlog::level::from_str(conf.level));
  if (spdlog::default_logger() != log.logger) spdlog::set_default_logger(log.logger);
}

void reopen_log() {
  try {
    logging().sink->reopen();
  } catch (const std::system_error& error) {
    spdlog::error("cannot reopen: {}", error.what());
  }
}

}  // namespace telltale::proxy
