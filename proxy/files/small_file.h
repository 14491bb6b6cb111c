#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace telltale::proxy {

/// All of a small file, read at once. Wiped when it goes, as it may hold keys.
class SmallFile {
 public:
  /// Throws std::runtime_error, `PATH: why`: it cannot be read, is not a regular file, or is longer than `max_octets`.
  SmallFile(const std::string& path, std::size_t max_octets);
  ~SmallFile();
  SmallFile(const SmallFile&) = delete;
  SmallFile& operator=(const SmallFile&) = delete;

  std::string_view octets() const { return {octets_.get(), size_}; }
  /// Everybody on this machine may read it.
  bool world_readable() const { return world_readable_; }

 private:
  SmallFile() = default;

  std::unique_ptr<char[]> octets_;
  std::size_t size_ = 0;
  bool world_readable_ = false;
};

}  // namespace telltale::proxy
