#pragma once

#include "conf/model_service.h"
#include "protocol/http/header_block.h"
#include "protocol/net/ip_address.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace telltale::proxy {

/// Whether the service's balancer goes by a hash of the request.
constexpr bool needs_hash(const conf::Balance& balance) {
  return balance.policy == conf::BalancePolicy::maglev || balance.policy == conf::BalancePolicy::ring_hash;
}

/// Of what Balance::hash_on names: the first field of that name, the first cookie of that name, or the client's
/// address; of the address where the request has no such field or cookie. `client` null: of nothing, always the same.
std::uint64_t balance_hash_of(const conf::Balance& balance, const http::HeaderBlock& fields,
                              const net::IpAddress* client);

/// The value of the first cookie of this name (RFC 6265 4.2.1; names are case-sensitive).
std::optional<std::string_view> find_cookie(const http::HeaderBlock& fields, std::string_view name);

}  // namespace telltale::proxy
