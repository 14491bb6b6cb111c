#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/http/field_id.h"

namespace telltale::http {

/// Header or trailer fields in the order they came (RFC 9110 5). Names and values live in one arena that keeps its
/// capacity across clear(), so a block that is reused does not allocate. Not thread safe.
class HeaderBlock {
 public:
  struct Field {
    FieldId id;              ///< the registry's id of the folded name, FieldId::other if it is not in it
    std::string_view name;   ///< as received
    std::string_view value;  ///< without surrounding white space
  };

  void clear();
  /// Copies both; the id is looked up here, once.
  void append(std::string_view name, std::string_view value);

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  /// The views are valid until the next append() or clear().
  Field operator[](std::size_t i) const;

  /// Whether any field has this id: one bit test.
  bool has(FieldId id) const { return (present_ >> static_cast<unsigned>(id)) & 1; }
  std::size_t count(FieldId id) const;
  /// The first field's value.
  std::optional<std::string_view> first(FieldId id) const;

 private:
  struct Entry {
    std::uint32_t begin;  // the name; the value follows it directly
    std::uint32_t value_size;
    std::uint16_t name_size;
    FieldId id;
  };
  std::string arena_;
  std::vector<Entry> entries_;
  std::uint64_t present_ = 0;  // FieldId has fewer than 64 values
};

}  // namespace telltale::http
