#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <string_view>

namespace telltale::tls {

/// A ProtocolNameList of RFC 7301 3.1, in the client's order of preference: `for (std::string_view name : alpn)`. Names
/// are any octets, never empty. Views last as long as the octets they were read from.
class AlpnProtocols {
 public:
  class Iterator {
   public:
    using value_type = std::string_view;
    using reference = std::string_view;
    using pointer = void;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;

    Iterator() = default;
    explicit Iterator(std::string_view list) : rest_(list) {}
    std::string_view operator*() const { return rest_.substr(1, size()); }
    Iterator& operator++() {
      rest_.remove_prefix(1 + size());
      return *this;
    }
    Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) { return it.rest_.empty(); }

   private:
    std::size_t size() const { return static_cast<unsigned char>(rest_.front()); }

    std::string_view rest_;
  };

  /// None.
  AlpnProtocols() = default;
  /// `list`: names, each behind an octet that says its length. nullopt if it is empty, or a name is empty or cut off.
  static std::optional<AlpnProtocols> parse(std::string_view list) {
    for (std::string_view rest = list; !rest.empty();) {
      const std::size_t size = static_cast<unsigned char>(rest.front());
      if (size == 0 || size >= rest.size()) return std::nullopt;
      rest.remove_prefix(1 + size);
    }
    if (list.empty()) return std::nullopt;
    return AlpnProtocols(list);
  }

  bool empty() const { return list_.empty(); }
  Iterator begin() const { return Iterator(list_); }
  std::default_sentinel_t end() const { return {}; }
  bool contains(std::string_view wanted) const {
    for (const std::string_view name : *this)
      if (name == wanted) return true;
    return false;
  }

 private:
  explicit AlpnProtocols(std::string_view list) : list_(list) {}

  std::string_view list_;
};

}  // namespace telltale::tls
