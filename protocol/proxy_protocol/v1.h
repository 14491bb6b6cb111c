#pragma once

#include "protocol/proxy_protocol/header.h"
#include "protocol/proxy_protocol/scan.h"

#include <cstddef>
#include <string_view>

/// Version 1, the human-readable header (spec 2.1).
namespace telltale::proxy_protocol::v1 {

inline constexpr std::string_view signature = "PROXY ";
inline constexpr std::size_t max_size = 107;  ///< with CRLF

/// Looks at the octets so far, which begin like the signature, and fills `header` once the line is there.
Scan scan(std::string_view octets, Header& header);

}  // namespace telltale::proxy_protocol::v1
