#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace telltale::net {

/// An IPv4 or IPv6 address as a value. An IPv4-mapped IPv6 address (RFC 4291 2.5.5.2) is unmapped when it is made,
/// so that no comparison anywhere can be dodged by the other spelling (CVE-2024-24790).
class IpAddress {
 public:
  static constexpr std::size_t max_text_size = 45;

  /// 0.0.0.0
  constexpr IpAddress() = default;

  /// From network-order octets.
  static IpAddress v4(std::span<const std::uint8_t, 4> octets);
  static IpAddress v6(std::span<const std::uint8_t, 16> octets);
  static constexpr IpAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
    IpAddress ip;
    ip.octets_[0] = a, ip.octets_[1] = b, ip.octets_[2] = c, ip.octets_[3] = d;
    return ip;
  }

  /// Strict text forms only: dotted quad without leading zeros or other bases; RFC 4291 2.2 IPv6, no brackets,
  /// no zone id. Anything else is nullopt.
  static std::optional<IpAddress> parse(std::string_view text);

  constexpr bool is_v4() const { return is_v4_; }
  constexpr bool is_v6() const { return !is_v4_; }
  bool is_loopback() const;
  bool is_unspecified() const;

  /// Network order, 4 or 16 octets.
  std::span<const std::uint8_t> octets() const { return {octets_.data(), is_v4_ ? 4u : 16u}; }
  /// Always 16 octets: an IPv4 address in its mapped form ::ffff:a.b.c.d.
  std::array<std::uint8_t, 16> mapped_octets() const;

  /// Writes the canonical text (RFC 5952) to `out`, which must hold max_text_size octets; returns the size written.
  std::size_t format(char* out) const;
  std::string to_string() const;
  void append_to(std::string& out) const {
    char text[max_text_size];
    out.append(text, format(text));
  }

  friend constexpr bool operator==(const IpAddress&, const IpAddress&) = default;
  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  std::array<std::uint8_t, 16> octets_{};  // IPv4 in the first four, the rest zero
  bool is_v4_ = true;
};

/// An address and a port; port 0 means "not known".
struct IpPort {
  IpAddress address;
  std::uint16_t port = 0;

  /// "192.0.2.1:80" or "[2001:db8::1]:80".
  std::string to_string() const;
  friend constexpr bool operator==(const IpPort&, const IpPort&) = default;
  friend constexpr auto operator<=>(const IpPort&, const IpPort&) = default;
};

/// Plain decimal, 0..65535: no sign, no space, no leading zero.
std::optional<std::uint16_t> parse_port(std::string_view text);

/// A numeric `host:port`, `[v6]:port` or `:port` (all interfaces, dual stack: "::"). The port is required, 0..65535,
/// as parse_port() takes it.
std::optional<IpPort> parse_ip_port(std::string_view text);

}  // namespace telltale::net

template <>
struct std::hash<telltale::net::IpAddress> {
  std::size_t operator()(const telltale::net::IpAddress& ip) const noexcept;
};
