#pragma once

#include "conf/loader.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::conf {

/// A value of the document with its place. An alias is a pointer to the anchored value: the tree is a DAG.
struct YamlNode {
  enum class Kind : std::uint8_t { null, scalar, sequence, map };
  Kind kind = Kind::null;
  bool quoted = false;           ///< a scalar in quotes or a block scalar
  std::uint32_t line = 0;        ///< from 1
  std::uint32_t column = 0;      ///< from 1, in octets
  std::uint32_t expanded = 1;    ///< values in here when every alias is written out; saturates
  std::string text;              ///< scalars
  std::vector<YamlNode*> items;  ///< sequence: its items; map: key, value, key, value, …; keys are scalars and unique

  /// The value of a map's key; nullptr if it has none, or this is no map.
  const YamlNode* find(std::string_view key) const;
  /// The value that these keys lead to, or as far as they do.
  const YamlNode& descend(std::initializer_list<std::string_view> keys) const;
};

/// One parsed document. Bounds, each a diagnostic when passed: document octets, values, nesting, values after aliases
/// are written out. Merge keys (`<<`) are resolved here.
class YamlTree {
 public:
  static constexpr std::size_t max_octets = 16u << 20;
  static constexpr std::size_t max_values = 1'000'000;
  static constexpr std::size_t max_depth = 64;

  YamlTree() = default;
  YamlTree(const YamlTree&) = delete;
  YamlTree& operator=(const YamlTree&) = delete;

  /// False when the text is not one YAML document within the bounds: the reasons are in `diagnostics`. Errors that
  /// leave a usable tree (a duplicate key, a tag) are added too, and the answer is true.
  /// `when_empty` is the hint for a text without any value.
  bool parse(std::string_view text, std::vector<Diagnostic>& diagnostics,
             std::string_view when_empty = "the least is `listeners: [{listen: \":8080\", service: …}]`");

  const YamlNode& root() const { return *root_; }

 private:
  friend class TreeBuilder;
  std::deque<YamlNode> nodes_;
  YamlNode* root_ = nullptr;
};

}  // namespace telltale::conf
