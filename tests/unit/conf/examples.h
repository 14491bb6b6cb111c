#pragma once

#include "conf/loader.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace telltale::conf {

inline std::string read_source_file(const std::string& path) {
  std::ifstream file(std::string(TELLTALE_SOURCE_DIR) + "/" + path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// For load_text(): the ranges file that an example names has what is built in.
inline RangesResult example_ranges(const std::string&) { return {shipped_ranges(), {}}; }

/// Without any variable set.
inline LoadResult load_example(const std::string& name) {
  return load_text(
      read_source_file("conf/examples/" + name), [](std::string_view) { return std::nullopt; }, example_ranges);
}

struct Example {
  std::string name, text;
};

/// conf/examples/*.yaml, by name.
inline std::vector<Example> read_examples() {
  std::vector<Example> examples;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(TELLTALE_SOURCE_DIR) + "/conf/examples")) {
    const std::string name = entry.path().filename();
    if (name.ends_with(".yaml")) examples.push_back({name, read_source_file("conf/examples/" + name)});
  }
  std::ranges::sort(examples, {}, &Example::name);
  return examples;
}

}  // namespace telltale::conf
