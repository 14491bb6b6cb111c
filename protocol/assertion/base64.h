#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace telltale::assertion {

/// RFC 4648 5, without padding.
void append_base64url(std::string& out, std::span<const std::uint8_t> octets);

/// What append_base64url() writes for exactly `out.size()` octets, and nothing else: any other length, octet or spare
/// bit is refused, so that one value has one text.
bool parse_base64url(std::string_view text, std::span<std::uint8_t> out);

/// RFC 4648 4, with its padding, as `openssl rand -base64 32` prints it. Returns how many octets were written, or -1:
/// not base64, or more than `out` takes.
int parse_base64(std::string_view text, std::span<std::uint8_t> out);

}  // namespace telltale::assertion
