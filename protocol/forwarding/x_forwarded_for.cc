#include "protocol/forwarding/x_forwarded_for.h"

namespace telltale::forwarding {
namespace {

std::optional<net::IpPort> with_port(std::string_view address, std::string_view port) {
  const auto ip = net::IpAddress::parse(address);
  if (!ip) return std::nullopt;
  const auto number = parse_port(port);
  if (!number) return std::nullopt;
  return net::IpPort{*ip, *number};
}

std::optional<net::IpPort> without_port(std::string_view address) {
  const auto ip = net::IpAddress::parse(address);
  if (!ip) return std::nullopt;
  return net::IpPort{*ip, 0};
}

}  // namespace

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5) return std::nullopt;
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (value > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(value);
}

std::optional<net::IpPort> parse_address_entry(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    const std::string_view inside = text.substr(1, close - 1);
    if (inside.find(':') == std::string_view::npos) return std::nullopt;  // brackets are for IPv6 alone
    const std::string_view rest = text.substr(close + 1);
    if (rest.empty()) return without_port(inside);
    return rest.front() == ':' ? with_port(inside, rest.substr(1)) : std::nullopt;
  }
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos) {
    return with_port(text.substr(0, colon), text.substr(colon + 1));
  }
  return without_port(text);
}

}  // namespace telltale::forwarding
