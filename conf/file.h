#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace telltale::conf {

struct FileText {
  std::optional<std::string> text;  ///< nullopt iff there is a problem
  std::string problem;
  bool is_too_large = false;  ///< which is the problem
};

/// All of a regular file, symbolic links followed. Anything else, a FIFO say, is not opened.
FileText read_regular_file(const std::string& path, std::size_t max_octets);

}  // namespace telltale::conf
