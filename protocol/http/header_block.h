#pragma once

#include "protocol/http/field_id.h"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::http {

/// Header or trailer fields in the order they came (RFC 9110 5). Names and values live in one arena that keeps its
/// capacity across clear(), so a block that is reused does not allocate. At most 4 GiB of names and values: the
/// parsers' limits are far below. Not thread safe.
class HeaderBlock {
 public:
  struct Field {
    FieldId id;              ///< the registry's id of the folded name, FieldId::other if it is not in it
    std::string_view name;   ///< as received
    std::string_view value;  ///< without surrounding white space
  };

  void clear();
  /// Copies both; the id is looked up here, once. Neither may point into this block.
  void append(std::string_view name, std::string_view value);

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  /// The views are valid until the next append() or clear().
  Field operator[](std::size_t i) const { return field(entries_[i]); }

  /// Whether any field has this id: one bit test.
  bool has(FieldId id) const { return (present_ >> static_cast<unsigned>(id)) & 1; }
  std::size_t count(FieldId id) const;
  /// The first field's value.
  std::optional<std::string_view> first(FieldId id) const;

  class Iterator;
  Iterator begin() const;
  Iterator end() const;

 private:
  struct Entry {
    std::uint32_t begin;  // the name; the value follows it directly
    std::uint32_t name_size;
    std::uint32_t value_size;
    FieldId id;
  };
  Field field(const Entry& entry) const {
    const char* name = arena_.data() + entry.begin;
    return {entry.id, {name, entry.name_size}, {name + entry.name_size, entry.value_size}};
  }

  std::string arena_;
  std::vector<Entry> entries_;
  std::uint64_t present_ = 0;  // FieldId has fewer than 64 values

  friend class HeadBuilder;
};

/// A forward walk by value. Valid until the next append() or clear().
class HeaderBlock::Iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using iterator_concept = std::forward_iterator_tag;
  using value_type = Field;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = Field;

  Iterator() = default;
  Field operator*() const { return (*block_)[index_]; }
  Iterator& operator++() {
    ++index_;
    return *this;
  }
  Iterator operator++(int) {
    const Iterator before = *this;
    ++index_;
    return before;
  }
  friend bool operator==(const Iterator&, const Iterator&) = default;

 private:
  friend class HeaderBlock;
  Iterator(const HeaderBlock& block, std::size_t index) : block_(&block), index_(index) {}

  const HeaderBlock* block_ = nullptr;
  std::size_t index_ = 0;
};

inline HeaderBlock::Iterator HeaderBlock::begin() const { return {*this, 0}; }
inline HeaderBlock::Iterator HeaderBlock::end() const { return {*this, entries_.size()}; }

}  // namespace telltale::http
