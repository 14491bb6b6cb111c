#pragma once

#include "protocol/net/ip_address.h"

#include <string>
#include <string_view>
#include <vector>

namespace telltale::proxy {

/// The addresses that a text in the form of hosts(5) has for a name, sorted, each once. Case does not matter, nor does
/// a last dot of `name`.
std::vector<net::IpAddress> find_in_hosts(std::string_view text, std::string_view name);

/// The same, of a file; none if it cannot be read.
std::vector<net::IpAddress> find_in_hosts_file(const std::string& path, std::string_view name);

}  // namespace telltale::proxy
