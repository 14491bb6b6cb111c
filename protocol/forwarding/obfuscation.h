#pragma once

#include "protocol/net/ip_address.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace telltale::forwarding {

/// What makes this process's obfuscated identifiers unguessable: drawn once, at its start, from a random source that is
/// fit for keys.
struct ObfuscationKey {
  std::uint64_t k0 = 0, k1 = 0;
};

/// SipHash-2-4 (Aumasson, Bernstein 2012) of `octets`: who does not have the key cannot tell the result from chance.
std::uint64_t siphash(const ObfuscationKey& key, std::string_view octets);

/// Whether `text` is an obfuscated identifier of RFC 7239 6.3: `_` and at least one of ALPHA, DIGIT, ".", "_", "-".
bool is_obfuscated_identifier(std::string_view text);

/// Appends an identifier (RFC 7239 6.3) for who is at `address`: `_` and 16 hexadecimal digits. The same key, address
/// and connection number give the same one, anything else another; number 0 stands for all of the process. nullopt is
/// who has no address.
void append_obfuscated(std::string& out, const ObfuscationKey& key, const std::optional<net::IpAddress>& address,
                       std::uint64_t connection_number);

}  // namespace telltale::forwarding
