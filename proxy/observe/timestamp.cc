#include "proxy/observe/timestamp.h"

#include <spdlog/fmt/fmt.h>

#include <ctime>

namespace telltale::proxy {

std::string_view Timestamp::format(std::chrono::system_clock::time_point time) {
  constexpr std::size_t fraction_size = 5;
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  if (second.time_since_epoch().count() != second_) {
    second_ = second.time_since_epoch().count();
    const std::time_t clock = static_cast<std::time_t>(second_);
    std::tm utc{};
    const bool known = ::gmtime_r(&clock, &utc) != nullptr;
    size_ = known ? std::strftime(text_, sizeof text_ - fraction_size, "%Y-%m-%dT%H:%M:%S", &utc) : 0;
  }
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time - second).count();
  char* fraction = text_ + size_;
  fraction[0] = '.';
  fraction[1] = static_cast<char>('0' + milliseconds / 100);
  fraction[2] = static_cast<char>('0' + milliseconds / 10 % 10);
  fraction[3] = static_cast<char>('0' + milliseconds % 10);
  fraction[4] = 'Z';
  return {text_, size_ + fraction_size};
}

std::string format_timestamp(std::chrono::system_clock::time_point time) {
  return std::string(Timestamp().format(time));
}

std::string http_date(std::chrono::system_clock::time_point time) {
  // Not strftime's names: those are the locale's.
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t clock = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
  std::tm utc{};
  ::gmtime_r(&clock, &utc);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", days[utc.tm_wday], utc.tm_mday, months[utc.tm_mon],
                     utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::int64_t unix_seconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

}  // namespace telltale::proxy
