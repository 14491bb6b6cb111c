#include "proxy/health/answer_print.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace telltale::proxy {
namespace {

/// `Sun, 06 Nov 1994 08:49:37 GMT`: IMF-fixdate has one size (RFC 9110 5.6.7).
constexpr std::size_t time_size = 29;

bool holds_time(std::string_view octets, std::size_t at) {
  if (octets.size() < at + time_size + 2 || octets.substr(at + time_size, 2) != "\r\n") return false;
  const std::string_view time = octets.substr(at, time_size);
  return time.ends_with(" GMT") && std::all_of(time.begin(), time.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

/// Where the time in the head's Date field begins; 0: there is none, or it looks otherwise.
std::size_t find_time(std::string_view octets) {
  const std::string_view head = octets.substr(0, octets.find("\r\n\r\n"));
  for (const std::string_view field : {"\r\nDate: ", "\r\ndate: "}) {
    const std::size_t at = head.find(field);
    if (at != std::string_view::npos && holds_time(octets, at + field.size())) return at + field.size();
  }
  return 0;
}

std::uint64_t digest_of(std::string_view octets, std::size_t time) {
  const std::hash<std::string_view> hash;
  if (time == 0) return hash(octets);
  return hash(octets.substr(0, time)) * 31 + hash(octets.substr(time + time_size));
}

}  // namespace

AnswerPrint::AnswerPrint(std::string_view octets) {
  if (octets.size() > std::numeric_limits<std::uint32_t>::max()) return;
  const std::size_t time = find_time(octets);
  digest_ = digest_of(octets, time);
  size_ = static_cast<std::uint32_t>(octets.size());
  date_ = static_cast<std::uint32_t>(time);
}

bool AnswerPrint::is_of(std::string_view octets) const {
  if (size_ == 0 || octets.size() != size_ || (date_ != 0 && !holds_time(octets, date_))) return false;
  return digest_of(octets, date_) == digest_;
}

}  // namespace telltale::proxy
