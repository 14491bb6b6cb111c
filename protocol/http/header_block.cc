#include "protocol/http/header_block.h"

namespace telltale::http {

void HeaderBlock::clear() {
  arena_.clear();
  entries_.clear();
  present_ = 0;
}

void HeaderBlock::append(std::string_view name, std::string_view value) {
  const FieldId id = field_id(name);
  const auto begin = static_cast<std::uint32_t>(arena_.size());
  arena_.append(name);
  arena_.append(value);
  entries_.push_back({begin, static_cast<std::uint32_t>(name.size()), static_cast<std::uint32_t>(value.size()), id});
  present_ |= std::uint64_t{1} << static_cast<unsigned>(id);
}

std::size_t HeaderBlock::count(FieldId id) const {
  if (!has(id)) return 0;
  std::size_t n = 0;
  for (const Entry& entry : entries_) n += entry.id == id;
  return n;
}

std::optional<std::string_view> HeaderBlock::first(FieldId id) const {
  if (!has(id)) return std::nullopt;
  for (const Entry& entry : entries_) {
    if (entry.id == id) return field(entry).value;
  }
  return std::nullopt;
}

}  // namespace telltale::http
