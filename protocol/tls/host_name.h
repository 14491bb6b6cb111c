#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace telltale::tls {

/// A DNS host name as RFC 6066 3 wants it, in lower case and without a trailing dot. Labels of 1 to 63 letters, digits,
/// `-` and `_`; the last one is no number, so it is no IP address to anybody. Holds its octets itself.
class HostName {
 public:
  static constexpr std::size_t max_size = 253;

  /// False if `name` is none; it is empty then. Upper case is taken for lower case.
  bool assign(std::string_view name);

  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {octets_.data(), size_}; }

 private:
  std::array<char, max_size> octets_;
  std::uint8_t size_ = 0;
};

}  // namespace telltale::tls
