#pragma once

#include "conf/loader.h"
#include "conf/yaml_tree.h"

#include <string>
#include <vector>

namespace telltale::conf {

/// Where a value stands in the file's structure: services[0].nodes[1].address. A chain on the stack, written out only
/// for a diagnostic.
struct Path {
  const Path* parent = nullptr;
  std::string_view name;  ///< empty: an index
  std::size_t index = 0;

  Path() = default;
  Path(const Path& up, std::string_view field) : parent(&up), name(field) {}
  Path(const Path& up, std::size_t item) : parent(&up), index(item) {}
  Path(const Path&) = delete;
  Path& operator=(const Path&) = delete;
  std::string to_string() const;
};

/// Collects findings while the file is read.
class Diagnostics {
 public:
  /// More than this many of them help nobody; the last one then says so.
  static constexpr std::size_t most = 10'000;

  void error(const YamlNode& place, const Path& path, std::string message, std::string hint = {});
  void warning(const YamlNode& place, const Path& path, std::string message, std::string hint = {});
  void error(const YamlNode& place, std::string path, std::string message, std::string hint = {});
  void warning(const YamlNode& place, std::string path, std::string message, std::string hint = {});

  /// Findings of the YAML layer.
  std::vector<Diagnostic>& list() { return list_; }
  bool full() const { return list_.size() >= most; }
  /// All of them in the order of the file.
  std::vector<Diagnostic> take();

 private:
  std::vector<Diagnostic> list_;
  bool dropped_error_ = false;
  bool dropped_ = false;
};

}  // namespace telltale::conf
