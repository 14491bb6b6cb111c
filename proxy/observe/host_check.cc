#include "proxy/observe/host_check.h"

#include "protocol/net/ip_address.h"

#include <algorithm>

namespace telltale::proxy {
namespace {

bool is_port(std::string_view text) {
  return text.size() <= 5 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool ends_with_ignoring_case(std::string_view text, std::string_view lower_case_end) {
  if (text.size() < lower_case_end.size()) return false;
  text.remove_prefix(text.size() - lower_case_end.size());
  return std::equal(text.begin(), text.end(), lower_case_end.begin(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a | 0x20) : a) == b; });
}

}  // namespace

bool is_local_host_field(std::string_view host) {
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos) return false;
    const std::string_view rest = host.substr(end + 1);
    if (!rest.empty() && (rest[0] != ':' || !is_port(rest.substr(1)))) return false;
    const auto address = net::IpAddress::parse(host.substr(1, end - 1));
    return address && host.substr(1, end - 1).find(':') != std::string_view::npos;
  }
  if (const std::size_t colon = host.find(':'); colon != std::string_view::npos) {
    if (!is_port(host.substr(colon + 1))) return false;
    host = host.substr(0, colon);
  }
  constexpr std::string_view localhost = "localhost";
  if (net::IpAddress::parse(host)) return true;
  return ends_with_ignoring_case(host, localhost) &&
         (host.size() == localhost.size() || host[host.size() - localhost.size() - 1] == '.');
}

}  // namespace telltale::proxy
