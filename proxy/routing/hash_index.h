#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace telltale::proxy {

/// FNV-1a, one octet at a time, so that every prefix (or suffix) of a text has been hashed once the whole has. Keys
/// come from the configuration, never from a client, so nobody can choose them to collide.
class RollingHash {
 public:
  constexpr void add(char octet) { state_ = (state_ ^ static_cast<unsigned char>(octet)) * 0x100000001b3u; }
  /// FNV's low bits are weak; a table's slot is taken from these.
  constexpr std::uint64_t value() const {
    std::uint64_t h = state_;
    h = (h ^ (h >> 32)) * 0x9fb21c651e98df25u;
    return h ^ (h >> 32);
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325u;
};

/// A table from text to a value, built once and then only read. Open addressing, at most half full. The caller gives
/// the hash, because it has it anyway.
template <class Value>
class HashIndex {
 public:
  struct Entry {
    std::uint64_t hash;
    std::string key;
    Value value;
  };

  HashIndex() = default;
  /// Keys must differ.
  explicit HashIndex(std::vector<Entry> entries) : entries_(std::move(entries)) {
    if (entries_.empty()) return;
    slots_.assign(std::bit_ceil(entries_.size() * 2), empty_slot);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      std::size_t slot = entries_[i].hash & (slots_.size() - 1);
      std::size_t looked_at = 1;
      for (; slots_[slot] != empty_slot; ++looked_at) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = static_cast<std::uint32_t>(i);
      longest_probe_ = std::max(longest_probe_, looked_at);
      longest_key_ = std::max(longest_key_, entries_[i].key.size());
    }
  }

  bool empty() const { return entries_.empty(); }
  std::size_t longest_key() const { return longest_key_; }
  /// The most slots that finding a key has to look at.
  std::size_t longest_probe() const { return longest_probe_; }

  /// `equal(key)` compares a stored key with the text that `hash` is of. nullptr: not there.
  template <class Equal>
  const Value* find(std::uint64_t hash, Equal equal) const {
    if (slots_.empty()) return nullptr;
    for (std::size_t slot = hash & (slots_.size() - 1); slots_[slot] != empty_slot;
         slot = (slot + 1) & (slots_.size() - 1)) {
      const Entry& entry = entries_[slots_[slot]];
      if (entry.hash == hash && equal(std::string_view(entry.key))) return &entry.value;
    }
    return nullptr;
  }

 private:
  static constexpr std::uint32_t empty_slot = 0xffffffffu;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> slots_;
  std::size_t longest_probe_ = 0;
  std::size_t longest_key_ = 0;
};

}  // namespace telltale::proxy
