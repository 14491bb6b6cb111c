#include "proxy/discovery/hosts_file.h"

#include "conf/file.h"

#include <algorithm>

namespace telltale::proxy {
namespace {

constexpr std::size_t max_octets = 4 << 20;

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line.substr(0, line.find('#'));
}

/// Empty: there is none left.
std::string_view take_word(std::string_view& line) {
  constexpr std::string_view blank = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(blank), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(blank));
  line.remove_prefix(word.size());
  return word;
}

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace

std::vector<net::IpAddress> find_in_hosts(std::string_view text, std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::vector<net::IpAddress> found;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    const std::string_view address = take_word(line);
    for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
      if (!same_name(word, name)) continue;
      if (const auto ip = net::IpAddress::parse(address)) found.push_back(*ip);
      break;
    }
  }
  std::ranges::sort(found);
  const auto rest = std::ranges::unique(found);
  found.erase(rest.begin(), rest.end());
  return found;
}

std::vector<net::IpAddress> find_in_hosts_file(const std::string& path, std::string_view name) {
  const conf::FileText file = conf::read_regular_file(path, max_octets);
  return file.text ? find_in_hosts(*file.text, name) : std::vector<net::IpAddress>{};
}

}  // namespace telltale::proxy
