#include "protocol/http/header_block.h"

namespace telltale::http {

void HeaderBlock::clear() {
  arena_.clear();
  entries_.clear();
  present_ = 0;
}

void HeaderBlock::append(std::string_view name, std::string_view value) {
  const FieldId id = field_id(name);
  entries_.push_back({.begin = static_cast<std::uint32_t>(arena_.size()),
                      .value_size = static_cast<std::uint32_t>(value.size()),
                      .name_size = static_cast<std::uint16_t>(name.size()),
                      .id = id});
  arena_.append(name).append(value);
  present_ |= std::uint64_t{1} << static_cast<unsigned>(id);
}

HeaderBlock::Field HeaderBlock::operator[](std::size_t i) const {
  const Entry& entry = entries_[i];
  const char* name = arena_.data() + entry.begin;
  return {entry.id, {name, entry.name_size}, {name + entry.name_size, entry.value_size}};
}

std::size_t HeaderBlock::count(FieldId id) const {
  if (!has(id)) return 0;
  std::size_t count = 0;
  for (const Entry& entry : entries_) count += entry.id == id;
  return count;
}

std::optional<std::string_view> HeaderBlock::first(FieldId id) const {
  if (!has(id)) return std::nullopt;
  for (std::size_t i = 0; i < size(); ++i) {
    if (entries_[i].id == id) return (*this)[i].value;
  }
  return std::nullopt;
}

}  // namespace telltale::http
