#pragma once

#include <string_view>

namespace telltale::proxy {

/// Whether a Host field may address a server that listens on loopback: an IP literal or `localhost` (also
/// `*.localhost`, RFC 6761 6.3), with or without a port. A browser that was lured to a name which an attacker's DNS
/// then points at 127.0.0.1 sends that name (DNS rebinding).
bool is_local_host_field(std::string_view host);

}  // namespace telltale::proxy
