#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace telltale::proxy {

/// Two lower-case digits an octet.
std::string to_hex(std::string_view octets);

/// Digits in any case; white space and colons between them, and `0x` before them, do not count. nullopt: something
/// else, or half an octet.
std::optional<std::string> from_hex(std::string_view text);

}  // namespace telltale::proxy
