#include "conf/text.h"

#include <array>
#include <charconv>

namespace telltale::conf {
namespace {

constexpr std::size_t max_unix_path = 107;  // sockaddr_un::sun_path with its NUL
constexpr std::string_view not_an_address = "is not an IP address and port";
constexpr std::string_view address_hint =
    "an IP address and a port as 192.0.2.1:80, [2001:db8::1]:80 or :80, or unix:/path";

Parsed<Address> parse_unix(std::string_view path) {
  if (path.empty() || path[0] != '/') return {{}, "is not an absolute path", "unix:/run/telltale.sock"};
  if (path.size() > max_unix_path) return {{}, "is too long for a Unix socket", "at most 107 octets of path"};
  if (has_control(path)) return {{}, "has control characters", ""};
  return {Address{std::nullopt, std::string(path)}, {}, {}};
}

/// The problem with the host part of an address that did not parse.
Parsed<Address> explain_host(std::string_view host, std::string_view port) {
  if (host == "localhost") {
    return {{}, "is a host name; an address must be numeric", "write 127.0.0.1:" + std::string(port)};
  }
  if (host == "*") return {{}, "is not an address", "write :" + std::string(port) + " for all interfaces"};
  if (is_host_name(host)) return {{}, "is a host name; this address must be numeric", "write its IP address"};
  return {{}, std::string(not_an_address), std::string(address_hint)};
}

}  // namespace

Parsed<Address> parse_address(std::string_view text) {
  if (text.starts_with("unix:")) return parse_unix(text.substr(5));
  if (const auto ip = net::parse_ip_port(text)) return {Address{*ip, {}}, {}, {}};
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    const auto number = parse_integer(text);
    if (number.value) return {{}, "is not an address", "write :" + std::string(text) + " for a port on all interfaces"};
    return {{}, "has no port", std::string(address_hint)};
  }
  if (const auto bare = net::IpAddress::parse(text); bare && bare->is_v6()) {
    return {{}, "has no port", "an IPv6 address goes in brackets before a port: [" + std::string(text) + "]:80"};
  }
  const auto port = parse_integer(text.substr(colon + 1));
  if (!port.value || *port.value > 65535) return {{}, "has a bad port", "a port is a number from 0 to 65535"};
  return explain_host(text.substr(0, colon), text.substr(colon + 1));
}

Parsed<Address> parse_socket(std::string_view text) {
  constexpr std::string_view hint = "a port as 32122, or an address as 10.0.0.11:32122";
  if (parse_integer(text).value) return parse_address(":" + std::string(text));
  auto address = parse_address(text);
  if (address.value && !address.value->ip) return {{}, std::string(not_an_address), std::string(hint)};
  if (address.hint == address_hint) address.hint = hint;
  return address;
}

std::string Backend::to_string() const {
  return dns ? dns->name + ":" + std::to_string(dns->port) : address.to_string();
}

Parsed<Backend> parse_backend(std::string_view text) {
  constexpr std::string_view hint = "like 10.0.0.1:8080, [2001:db8::1]:8080, shop.internal:8080 or unix:/path";
  const auto colon = text.rfind(':');
  const std::string_view host = text.substr(0, colon);
  if (colon == std::string_view::npos && is_dns_name(text)) return {{}, "has no port", std::string(hint)};
  if (colon != std::string_view::npos && !text.starts_with("unix:") && is_dns_name(host)) {
    const auto port = parse_integer(text.substr(colon + 1));
    if (!port.value || *port.value > 65535) return {{}, "has a bad port", "a port is a number from 1 to 65535"};
    if (*port.value == 0) return {{}, "has port 0: nothing can be reached there", ""};
    return {
        Backend{{}, DnsName{DnsName::Kind::address, to_lower(host), static_cast<std::uint16_t>(*port.value)}}, {}, {}};
  }
  auto address = parse_address(text);
  if (address.value) return {Backend{std::move(*address.value), {}}, {}, {}};
  if (address.problem == not_an_address) {
    return {{}, "is not an IP address or host name and a port", std::string(hint)};
  }
  return {{}, std::move(address.problem), address.hint == address_hint ? std::string(hint) : std::move(address.hint)};
}

Parsed<std::string> parse_host(std::string_view text) {
  if (const auto ip = net::IpAddress::parse(text)) return {ip->to_string(), {}, {}};
  if (is_dns_name(text)) return {to_lower(text), {}, {}};
  const auto with_port = [](std::string_view host, std::uint64_t port) -> Parsed<std::string> {
    return {{},
            "has a port; only the host belongs here",
            "write " + std::string(host) + " here and `port: " + std::to_string(port) + "` beside it"};
  };
  const auto ip_port = net::parse_ip_port(text);
  if (ip_port && !text.starts_with(':')) return with_port(ip_port->address.to_string(), ip_port->port);
  const auto backend = parse_backend(text).value;
  if (backend && backend->dns) return with_port(backend->dns->name, backend->dns->port);
  const bool bracketed = text.starts_with('[') && is_host(text);
  return {{},
          "is not an IP address or host name",
          bracketed ? "write " + quote(text.substr(1, text.size() - 2))
                    : "like 10.0.0.11, 2001:db8::11 or node-a.internal"};
}

Parsed<net::Cidr> parse_cidr(std::string_view text) {
  if (const auto cidr = net::Cidr::parse(text)) return {*cidr, {}, {}};
  const auto slash = text.find('/');
  const auto address = net::IpAddress::parse(text.substr(0, slash));
  if (!address || slash == std::string_view::npos) {
    return {{}, "is not an address range", "like 10.0.0.0/8, 2001:db8::/32, 192.0.2.1 or the word unix"};
  }
  const auto prefix = parse_integer(text.substr(slash + 1));
  const bool written_as_v6 = text.find(':') != std::string_view::npos;
  if (!prefix.value || *prefix.value > (written_as_v6 ? 128u : 32u)) {
    return {{}, "has a bad prefix length", written_as_v6 ? "0 to 128 for IPv6" : "0 to 32 for IPv4"};
  }
  if (written_as_v6 && address->is_v4()) {
    return {{}, "is a range of IPv4-mapped addresses that is not one of IPv4", "write it as IPv4, like 10.0.0.0/8"};
  }
  std::array<std::uint8_t, 16> octets{};
  const auto bytes = address->octets();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t bits = *prefix.value > i * 8 ? std::min<std::size_t>(8, *prefix.value - i * 8) : 0;
    octets[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00u >> bits));
  }
  const auto network = address->is_v4() ? net::IpAddress::v4(octets[0], octets[1], octets[2], octets[3])
                                        : net::IpAddress::v6(std::span<const std::uint8_t, 16>(octets));
  return {{}, "has bits set beyond its prefix", "write " + network.to_string() + "/" + std::to_string(*prefix.value)};
}

bool is_host(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) {
    const auto ip = net::IpAddress::parse(text.substr(1, text.size() - 2));
    return ip && text.find(':') != text.npos;
  }
  return is_host_name(text) || (text.find(':') == text.npos && net::IpAddress::parse(text));
}

bool is_authority(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon != text.npos && !text.ends_with(']')) {
    const auto port = parse_integer(text.substr(colon + 1));
    if (!port.value || *port.value == 0 || *port.value > 65535) return false;
    text = text.substr(0, colon);
  }
  return is_host(text);
}

}  // namespace telltale::conf
