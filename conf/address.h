#pragma once

#include "protocol/net/ip_address.h"

#include <chrono>
#include <optional>
#include <string>

namespace telltale::conf {

using Milliseconds = std::chrono::milliseconds;

/// Where to listen or connect: an IP address and port, or a Unix socket path.
struct Address {
  std::optional<net::IpPort> ip;
  std::string unix_path;  ///< set iff !ip
  std::string to_string() const;
  friend bool operator==(const Address&, const Address&) = default;
};

}  // namespace telltale::conf
