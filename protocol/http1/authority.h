#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace telltale::http1 {

/// `uri-host [ ":" port ]` (RFC 9110 7.2, RFC 3986 3.2.2): a Host value, or the authority of a target.
struct Authority {
  std::string_view host;              ///< a reg-name, an IPv4 address, or an IPv6 address in brackets; never empty
  std::optional<std::uint16_t> port;  ///< 1 to 65535; nullopt also for an empty one (`host:`)
};

/// Stricter than the grammar where another reader might see two things in one: no user information, names of letters,
/// digits, `-._~` alone (they end up in list-valued fields), no IPv6 zone, no IPvFuture.
std::optional<Authority> parse_authority(std::string_view text);

/// Replaces `out`: lower case, the port in plain decimal.
void assign_authority(std::string& out, const Authority& authority);

/// Whether both name the same place, with `default_port` for a port that is not there.
bool same_authority(const Authority& a, const Authority& b, std::uint16_t default_port);

}  // namespace telltale::http1
