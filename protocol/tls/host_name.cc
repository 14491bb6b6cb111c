#include "protocol/tls/host_name.h"

#include "protocol/http1/syntax.h"

#include <algorithm>

namespace telltale::tls {
namespace {

constexpr std::size_t max_label_size = 63;

// RFC 1123 2.1, and the underscore, which names in use have. No NUL, nor an octet that a list or a log could take for
// something else.
bool is_label_char(char c) { return http1::is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_'; }

// As the URL Standard's "ends in a number": whatever some resolver would take for an IPv4 address, `127.1` and
// `0x7f000001` too, ends so; no top-level domain does.
bool is_number(std::string_view label) {
  const auto is_hex = [](char c) { return http1::hex_digit(c) >= 0; };
  if (label.starts_with("0x")) return std::all_of(label.begin() + 2, label.end(), is_hex);
  return std::all_of(label.begin(), label.end(), http1::is_digit);
}

bool is_host_name(std::string_view name) {
  std::size_t label = 0;
  for (std::size_t dot = name.find('.');; dot = name.find('.', label)) {
    const std::string_view text = name.substr(label, dot - label);
    if (text.empty() || text.size() > max_label_size || !std::all_of(text.begin(), text.end(), is_label_char))
      return false;
    if (dot == std::string_view::npos) return !is_number(text);
    label = dot + 1;
  }
}

}  // namespace

bool HostName::assign(std::string_view name) {
  size_ = 0;
  if (name.size() > max_size) return false;
  std::transform(name.begin(), name.end(), octets_.begin(), http1::to_lower);
  if (!is_host_name({octets_.data(), name.size()})) return false;
  size_ = static_cast<std::uint8_t>(name.size());
  return true;
}

}  // namespace telltale::tls
