#pragma once

#include "protocol/proxy_protocol/header.h"
#include "protocol/proxy_protocol/scan.h"

#include <cstddef>
#include <string_view>

/// Version 2, the binary header (spec 2.2). What the parser and the serializer share.
namespace telltale::proxy_protocol::v2 {

inline constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12};
inline constexpr std::size_t fixed_size = 16;  ///< signature, version and command, family and transport, length
inline constexpr std::size_t inet_block_size = 2 * 4 + 2 * 2;
inline constexpr std::size_t inet6_block_size = 2 * 16 + 2 * 2;
inline constexpr std::size_t unix_path_size = 108;
inline constexpr std::size_t unix_block_size = 2 * unix_path_size;
inline constexpr std::size_t crc32c_size = 4;

/// Looks at the octets so far, which begin like the signature, and fills `header` once all of them are there.
Scan scan(std::string_view octets, std::size_t max_length, Header& header);

}  // namespace telltale::proxy_protocol::v2
