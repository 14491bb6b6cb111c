#pragma once

#include "protocol/net/ip_address.h"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::net {

/// An address range, RFC 4632. A mapped range (::ffff:10.0.0.0/104) is unmapped (prefix - 96) when it is made.
class Cidr {
 public:
  /// `10.0.0.0/8`, `2001:db8::/32`, or a bare address (a range of one). Host bits that are set are refused, as is a
  /// mapped range with a prefix under 96.
  static std::optional<Cidr> parse(std::string_view text);
  /// Host bits are cleared; a prefix beyond the address's width means the address alone.
  Cidr(const IpAddress& network, unsigned prefix_length);

  bool contains(const IpAddress& address) const;
  const IpAddress& network() const { return network_; }
  unsigned prefix_length() const { return prefix_length_; }
  std::string to_string() const;
  friend bool operator==(const Cidr&, const Cidr&) = default;

 private:
  IpAddress network_;
  unsigned prefix_length_;
};

/// A set of ranges, plus optionally "whoever speaks over a Unix socket" (the word `unix` in the configuration).
/// Empty by default: nobody is in it. Immutable after it is built; lookups are thread safe, O(log n), and do not
/// allocate.
class CidrSet {
 public:
  CidrSet() = default;
  explicit CidrSet(std::vector<Cidr> ranges, bool includes_unix = false);

  bool contains(const IpAddress& address) const;
  /// nullopt is a peer without an IP address (a Unix socket).
  bool contains(const std::optional<IpAddress>& address) const { return address ? contains(*address) : includes_unix_; }
  bool includes_unix() const { return includes_unix_; }
  bool empty() const { return ranges_.empty() && !includes_unix_; }
  /// As given: neither sorted nor merged.
  const std::vector<Cidr>& ranges() const { return ranges_; }

 private:
  struct V6Key {
    std::uint64_t high, low;
    friend constexpr auto operator<=>(const V6Key&, const V6Key&) = default;
  };
  template <typename Key>
  struct Interval {
    Key first, last;  // both inside
  };
  static V6Key v6_key(const IpAddress& address);

  // What is searched: sorted and disjoint.
  std::vector<Interval<std::uint32_t>> v4_;
  std::vector<Interval<V6Key>> v6_;
  std::vector<Cidr> ranges_;
  bool includes_unix_ = false;
};

}  // namespace telltale::net
