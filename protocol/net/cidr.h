#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/net/ip_address.h"

namespace telltale::net {

/// An address range, RFC 4632. A mapped range (::ffff:10.0.0.0/104) is unmapped (prefix - 96) when it is made.
class Cidr {
 public:
  /// `10.0.0.0/8`, `2001:db8::/32`, or a bare address (a range of one). Host bits that are set are refused, as is a
  /// mapped range with a prefix under 96.
  static std::optional<Cidr> parse(std::string_view text);
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
/// Empty by default: nobody is in it. Immutable after it is built; lookups are thread safe.
class CidrSet {
 public:
  CidrSet() = default;
  explicit CidrSet(std::vector<Cidr> ranges, bool includes_unix = false);

  bool contains(const IpAddress& address) const;
  /// nullopt is a peer without an IP address (a Unix socket).
  bool contains(const std::optional<IpAddress>& address) const {
    return address ? contains(*address) : includes_unix_;
  }
  bool includes_unix() const { return includes_unix_; }
  bool empty() const { return ranges_.empty() && !includes_unix_; }
  const std::vector<Cidr>& ranges() const { return ranges_; }

 private:
  std::vector<Cidr> ranges_;
  bool includes_unix_ = false;
};

}  // namespace telltale::net
