#include "proxy/observe/timestamp.h"

#include <ctime>

namespace telltale::proxy {

void Timestamp::append(std::string& out, std::chrono::system_clock::time_point time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  if (second.time_since_epoch().count() != second_) {
    second_ = second.time_since_epoch().count();
    const std::time_t clock = static_cast<std::time_t>(second_);
    std::tm utc{};
    size_ = ::gmtime_r(&clock, &utc) != nullptr ? std::strftime(text_, sizeof text_, "%Y-%m-%dT%H:%M:%S", &utc) : 0;
  }
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time - second).count();
  out.append(text_, size_);
  const char fraction[] = {'.', static_cast<char>('0' + milliseconds / 100),
                           static_cast<char>('0' + milliseconds / 10 % 10), static_cast<char>('0' + milliseconds % 10),
                           'Z'};
  out.append(fraction, sizeof fraction);
}

std::string format_timestamp(std::chrono::system_clock::time_point time) {
  std::string out;
  Timestamp().append(out, time);
  return out;
}

}  // namespace telltale::proxy
