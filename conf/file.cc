#include "conf/file.h"

#include "conf/text.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <sys/stat.h>

namespace telltale::conf {

FileText read_regular_file(const std::string& path, std::size_t max_octets) {
  const auto close = [](std::FILE* file) { std::fclose(file); };
  struct stat status;
  // Asked before it is opened: opening a FIFO would wait for whoever writes to it.
  if (::stat(path.c_str(), &status) != 0) return {{}, std::strerror(errno)};
  if (!S_ISREG(status.st_mode)) return {{}, "not a regular file"};
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rbe"), close);
  if (!file) return {{}, std::strerror(errno)};
  std::string text;
  std::array<char, 16 * 1024> buffer;
  while (!std::feof(file.get()) && !std::ferror(file.get())) {
    const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), file.get());
    text.append(buffer.data(), size);
    if (text.size() > max_octets) return {{}, "more than " + format_size(max_octets), true};
  }
  if (std::ferror(file.get())) return {{}, std::strerror(errno)};
  return {std::move(text), {}};
}

}  // namespace telltale::conf
