#pragma once

#include "protocol/forwarding/propagate.h"

#include <optional>
#include <string>

namespace telltale::forwarding {

/// Appends one forwarded-element: what this hop has to say (RFC 7239 5), `for` being `for_node`. An obfuscated node has
/// no port: that would tell connections apart which the id does not. False, and nothing appended, when there is nothing
/// to say. Without a key in `facts` obfuscated nodes are `unknown`.
bool append_own_element(std::string& out, const ForwardedOptions& options, const std::optional<net::IpPort>& for_node,
                        const RequestFacts& facts);

/// Appends `for=…` alone, named as in an element of ours.
void append_for(std::string& out, const ForwardedOptions& options, const std::optional<net::IpPort>& for_node,
                const RequestFacts& facts);

}  // namespace telltale::forwarding
