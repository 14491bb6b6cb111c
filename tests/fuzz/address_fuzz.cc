// Addresses, ports and ranges: what is read is written and read again, exactly what the C library takes for an address
// is taken, and a set of ranges says what each of its ranges says.
#include "protocol/forwarding/x_forwarded_for.h"
#include "protocol/net/cidr.h"
#include "protocol/net/ip_address.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace telltale;
using net::IpAddress;

void require(bool condition) {
  if (!condition) std::abort();
}

std::optional<IpAddress> by_the_library(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string whole(text);
  std::array<std::uint8_t, 16> octets;
  if (inet_pton(AF_INET, whole.c_str(), octets.data()) == 1) return IpAddress::v4(std::span(octets).first<4>());
  if (inet_pton(AF_INET6, whole.c_str(), octets.data()) == 1) return IpAddress::v6(octets);
  return std::nullopt;
}

void check_address(std::string_view text) {
  const auto address = IpAddress::parse(text);
  require(address == by_the_library(text));
  if (!address) return;
  require(IpAddress::parse(address->to_string()) == *address);
  require(IpAddress::v6(address->mapped_octets()) == *address);
  require(forwarding::parse_address_entry(text)->address == *address);
}

void check_port(std::string_view text) {
  const auto port = net::parse_port(text);
  if (port) require(std::to_string(*port) == text && forwarding::parse_port(text) == *port);
  if (const auto both = net::parse_ip_port(text)) require(net::parse_ip_port(both->to_string()) == *both);
  if (const auto entry = forwarding::parse_address_entry(text)) {
    require(forwarding::parse_address_entry(entry->to_string()) == *entry);
  }
}

std::optional<net::Cidr> check_range(std::string_view text) {
  const auto range = net::Cidr::parse(text);
  if (!range) return std::nullopt;
  require(net::Cidr::parse(range->to_string()) == *range);
  require(range->contains(range->network()));
  return range;
}

}  // namespace

// Each line is an address, an address with a port, a port, and a range.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::vector<net::Cidr> ranges;
  std::vector<IpAddress> addresses;
  for (int lines = 0; lines < 50; ++lines) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    check_address(line);
    check_port(line);
    if (const auto range = check_range(line)) {
      ranges.push_back(*range);
      addresses.push_back(range->network());
    }
    if (const auto entry = forwarding::parse_address_entry(line)) addresses.push_back(entry->address);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  const net::CidrSet set(ranges);
  for (const IpAddress& address : addresses) {
    const bool inside = std::any_of(ranges.begin(), ranges.end(), [&](const auto& r) { return r.contains(address); });
    require(set.contains(address) == inside);
  }
  return 0;
}
