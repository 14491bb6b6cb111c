#include "proxy/net/gateways.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace telltale::proxy {
namespace {

std::string read_all(const char* path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string_view next_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

/// The n-th word of a line, from 0; empty: there is none.
std::string_view word(std::string_view line, std::size_t n) {
  constexpr std::string_view blank = " \t";
  for (;; --n) {
    line.remove_prefix(std::min(line.find_first_not_of(blank), line.size()));
    const std::string_view found = line.substr(0, line.find_first_of(blank));
    if (n == 0 || found.empty()) return found;
    line.remove_prefix(found.size());
  }
}

template <class T>
std::optional<T> parse_hex(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void add(std::vector<net::IpAddress>& all, const net::IpAddress& address) {
  if (!address.is_unspecified() && std::ranges::find(all, address) == all.end()) all.push_back(address);
}

}  // namespace

std::vector<net::IpAddress> parse_ipv4_gateways(std::string_view text) {
  std::vector<net::IpAddress> all;
  while (!text.empty()) {
    const auto gateway = parse_hex<std::uint32_t>(word(next_line(text), 2));
    if (!gateway) continue;  // the head line
    // Printed as a number of this machine, of octets that are in network order.
    std::array<std::uint8_t, 4> octets;
    std::memcpy(octets.data(), &*gateway, octets.size());
    add(all, net::IpAddress::v4(octets));
  }
  return all;
}

std::vector<net::IpAddress> parse_ipv6_gateways(std::string_view text) {
  std::vector<net::IpAddress> all;
  while (!text.empty()) {
    const std::string_view gateway = word(next_line(text), 4);
    std::array<std::uint8_t, 16> octets{};
    if (gateway.size() != 2 * octets.size()) continue;
    bool is_right = true;
    for (std::size_t i = 0; i < octets.size(); ++i) {
      const auto octet = parse_hex<std::uint8_t>(gateway.substr(2 * i, 2));
      is_right = is_right && octet;
      octets[i] = octet.value_or(0);
    }
    const bool is_link_local = octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80;  // RFC 4291 2.5.6
    if (is_right && !is_link_local) add(all, net::IpAddress::v6(octets));
  }
  return all;
}

std::vector<net::IpAddress> read_gateways() {
  auto all = parse_ipv4_gateways(read_all("/proc/net/route"));
  for (const auto& each : parse_ipv6_gateways(read_all("/proc/net/ipv6_route"))) add(all, each);
  return all;
}

}  // namespace telltale::proxy
