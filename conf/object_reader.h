#pragma once

#include "conf/diagnostics.h"
#include "conf/environment.h"
#include "conf/schema.h"
#include "conf/text.h"
#include "conf/words.h"
#include "conf/yaml_tree.h"

#include <array>
#include <concepts>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace telltale::conf {

/// What reading the file needs everywhere.
struct Context {
  Diagnostics& diagnostics;
  const Environment& environment;
  std::string_view file;  ///< its text, for columns inside a value
  const RangesLoader& load_ranges;
  /// The published ranges that names in a list of ranges mean. Null: the file could not be read, which was reported, so
  /// that a name unknown for that reason is not.
  std::shared_ptr<const PublishedRanges> ranges = shipped_ranges();
};

struct PlacedRange {
  net::Cidr range;
  const YamlNode* place;
  std::size_t index;           ///< in the list
  std::string_view published;  ///< the name of the published list that it is of; empty: it stands there itself
};
/// A list of ranges with their places, for warnings about one of them. Published lists are written out in it.
struct Ranges {
  std::vector<PlacedRange> list;
  bool includes_unix = false;
  std::vector<std::string> published;
  std::string_view field;  ///< the field of `client_ip` that it was given in

  bool empty() const { return list.empty() && !includes_unix && published.empty(); }
  RangeList as_list() const;
  net::CidrSet set() const;
};

// One value, by the row of the table that it belongs to. False, and `out` left alone, when it is wrong: that is in the
// diagnostics then.
bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field, std::string& out);
bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field, bool& out);
bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field, std::uint64_t& out);
bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field, Milliseconds& out);
bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field, Address& out);
bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field, Backend& out);
bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field, Ranges& out);
bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field,
                std::vector<std::string>& out);
bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field,
                std::vector<StatusRange>& out);
bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field,
                std::vector<net::IpPort>& out);

/// Reads one map by its object in the table. The constructor reports unknown fields, fields that are missing, and more
/// or fewer than one of `one_of`; each read() reports what is wrong with one value and leaves the default in place.
class ObjectReader {
 public:
  /// `node` may be null (`limits:` with nothing below): no field is given. Anything but a map is reported.
  ObjectReader(Context& context, const YamlNode& node, const Path& path, const Object& object);
  ObjectReader(const ObjectReader&) = delete;
  ObjectReader& operator=(const ObjectReader&) = delete;

  /// The value given for a field; nullptr: none.
  const YamlNode* value(std::string_view field) const { return values_[index_of(field)]; }
  bool has(std::string_view field) const { return value(field) != nullptr; }
  /// Where a finding about the field points: its value, or the whole map.
  const YamlNode& place(std::string_view field) const { return has(field) ? *value(field) : node_; }

  /// True when the field is given and right.
  template <class T>
  bool read(std::string_view field, T& out) {
    const YamlNode* node = value(field);
    if (node == nullptr) return false;
    const Path path(path_, field);
    const Field& row = object_.fields[index_of(field)];
    if constexpr (std::is_enum_v<T>) {
      std::string word;
      if (!read_value(context_, *node, path, row, word)) return false;
      const auto parsed = from_word<T>(word);
      if (parsed) out = *parsed;
      return parsed.has_value();
    } else if constexpr (std::unsigned_integral<T> && !std::same_as<T, bool>) {
      std::uint64_t number = 0;
      if (!read_value(context_, *node, path, row, number)) return false;
      out = static_cast<T>(number);
      return true;
    } else {
      return read_value(context_, *node, path, row, out);
    }
  }
  template <class T>
  bool read(std::string_view field, std::optional<T>& out) {
    T value{};
    if (!read(field, value)) return false;
    out = value;
    return true;
  }

  /// Whether a scalar is given where a map may stand too (`admin: off`); then `word` is it, if it is one of the row's.
  bool read_word_instead(std::string_view field, std::string& word);

  /// Calls `use(value, path)` for a map that is given.
  template <class F>
  void object(std::string_view field, F&& use) {
    if (const YamlNode* node = value(field)) use(*node, Path(path_, field));
  }
  /// Calls `use(item, path, index)` for each item of a list; anything but a list is reported.
  template <class F>
  void each(std::string_view field, F&& use) {
    const YamlNode* node = value(field);
    if (node == nullptr || !is_list(field, *node)) return;
    const Path path(path_, field);
    for (std::size_t i = 0; i < node->items.size(); ++i) use(*node->items[i], Path(path, i), i);
  }

  /// Calls `use(key, value, path)` for each entry of a map whose keys are free; anything but a map, and more entries
  /// than the row's `max`, are reported.
  template <class F>
  void entries(std::string_view field, F&& use) {
    const YamlNode* node = value(field);
    if (node == nullptr || !is_map_of_entries(field, *node)) return;
    const Path path(path_, field);
    for (std::size_t i = 0; i + 1 < node->items.size(); i += 2) {
      const std::string shown = shown_name(node->items[i]->text);
      use(*node->items[i], *node->items[i + 1], Path(path, shown));
    }
  }

  void error(std::string_view field, std::string message, std::string hint = {}) {
    context_.diagnostics.error(place(field), Path(path_, field), std::move(message), std::move(hint));
  }
  void warning(std::string_view field, std::string message, std::string hint = {}) {
    context_.diagnostics.warning(place(field), Path(path_, field), std::move(message), std::move(hint));
  }
  /// About the map as a whole.
  void error_here(std::string message, std::string hint = {}) {
    context_.diagnostics.error(node_, path_, std::move(message), std::move(hint));
  }

  const YamlNode& node() const { return node_; }
  const Path& path() const { return path_; }
  Context& context() { return context_; }

 private:
  std::size_t index_of(std::string_view field) const;
  bool is_list(std::string_view field, const YamlNode& node);
  bool is_map_of_entries(std::string_view field, const YamlNode& node);
  /// A name from the file may be anything, escape sequences included.
  static std::string shown_name(std::string_view name);
  void take(const YamlNode& key, const YamlNode& value);
  void check_presence();

  Context& context_;
  const YamlNode& node_;
  const Path& path_;
  const Object& object_;
  std::array<const YamlNode*, max_fields> values_{};
  std::array<bool, max_fields> misspelt_{};  ///< an unknown field is probably this one
};

}  // namespace telltale::conf
