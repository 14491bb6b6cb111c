#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace telltale::proxy {

/// Whole lines to a file, a pipe or standard output, from one thread, while writers on other threads do the same to the
/// same output. Never blocks its thread on a slow reader: what cannot be written waits here, up to max_pending_bytes;
/// lines beyond that are dropped and counted.
///
/// A file is opened with O_APPEND: one write(2) of whole lines does not mix with another. A pipe, a socket or a
/// terminal may take part of a line; the writer that has left one unfinished holds the output until it is finished, and
/// the others keep their lines meanwhile. SIGPIPE is ignored since setup_logging().
class LineWriter {
 public:
  static constexpr std::size_t max_pending_bytes = 1024 * 1024;

  /// An empty path is standard output. Throws std::system_error.
  explicit LineWriter(const std::string& path);
  /// Takes `descriptor` over, as it is.
  explicit LineWriter(int descriptor) : LineWriter(descriptor, {}) {}
  /// Writes what waits, giving a slow reader a second at most.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  /// Where the next line is to be appended, newline included; followed by commit(). Nothing else is to be done to it.
  std::string& buffer() { return buffer_; }
  /// Ends the line that was appended, or takes it back when too much waits already.
  void commit();

  bool pending() const { return buffer_.size() > written_; }
  void flush();
  /// The file was moved away: what waits goes to the old one if it can be written at once. Keeps the old one, and says
  /// so in the log, when the new one cannot be opened. Nothing to do for standard output.
  void reopen();
  /// Lines lost: the reader was too slow, or is gone.
  std::uint64_t dropped() const { return dropped_; }

 private:
  /// One for all writers to the same pipe, socket or terminal.
  struct Output;
  enum class Progress : unsigned char { some, none, failed };

  LineWriter(int descriptor, std::string path);
  void attach(int descriptor);
  bool take_output();
  void release_output();
  std::size_t next_chunk() const;
  Progress write_chunk();
  void report(int error);
  void drop_pending();
  void compact();

  static std::shared_ptr<Output> shared_output(int descriptor);

  std::string path_;
  int descriptor_ = -1;
  bool socket_ = false;
  bool may_block_ = false;          ///< the descriptor is not ours to make non-blocking: ask first
  std::shared_ptr<Output> output_;  ///< null: a regular file, where O_APPEND suffices
  bool holds_output_ = false;
  std::string buffer_;
  std::size_t line_start_ = 0;  ///< where the line under construction begins
  std::size_t written_ = 0;     ///< octets of buffer_ that are out
  bool mid_line_ = false;       ///< the last octet out was not the end of a line
  Progress last_ = Progress::some;
  std::uint64_t dropped_ = 0;
};

}  // namespace telltale::proxy
