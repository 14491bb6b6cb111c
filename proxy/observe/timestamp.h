#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace telltale::proxy {

/// RFC 3339 in UTC with milliseconds, `2026-01-31T23:59:59.999Z`. The part before the second's fraction is formatted
/// once a second and kept. Not thread safe: one object for each writer.
class Timestamp {
 public:
  /// The view is valid until the next call.
  std::string_view format(std::chrono::system_clock::time_point time);

 private:
  std::int64_t second_ = INT64_MIN;
  char text_[40] = {};
  std::size_t size_ = 0;  ///< of the part before the fraction
};

/// The same, once.
std::string format_timestamp(std::chrono::system_clock::time_point time);

/// For a Date field: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 5.6.7).
std::string http_date(std::chrono::system_clock::time_point time);

/// Now, since 1970 UTC.
std::int64_t unix_seconds();

}  // namespace telltale::proxy
