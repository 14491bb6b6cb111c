#pragma once

#include "protocol/proxy_protocol/header.h"
#include "protocol/proxy_protocol/parser.h"

#include <cstddef>

namespace telltale::proxy_protocol {

/// What one look at the octets so far, from the first one on, gave.
struct Scan {
  Parser::Status status;
  std::size_t size;  ///< complete: of the header; need_more: what it will take, as far as is known by now
  Error error;       ///< failed only
};

/// The family that two addresses are of once they are unmapped: INET6 announced for two mapped addresses is INET.
inline Family family_of(const net::IpPort& source, const net::IpPort& destination) {
  return source.address.is_v4() && destination.address.is_v4() ? Family::inet : Family::inet6;
}

}  // namespace telltale::proxy_protocol
