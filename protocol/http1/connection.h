#pragma once

#include "protocol/http/header_block.h"

#include <boost/system/result.hpp>

#include <cstddef>
#include <string_view>

namespace telltale::http1 {

/// More nominations in one head are refused.
inline constexpr std::size_t max_nominations = 10;

/// What the Connection fields of a head ask for (RFC 9110 7.6.1).
struct ConnectionOptions {
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
};

/// bad_connection if an element is no token, nominates an identity or framing field or Host (in any spelling that folds
/// to it: CVE-2022-31813, CVE-2024-45410), or if there are more than max_nominations.
boost::system::result<ConnectionOptions> read_connection(const http::HeaderBlock& fields);

/// Whether Connection names this field.
bool is_nominated(const http::HeaderBlock& fields, std::string_view name);

/// Whether every protocol that Upgrade asks for may be tunnelled. HTTP may not: after an h2c upgrade the client would
/// speak to the backend past every rule of ours, with any identity header it likes.
bool may_tunnel(const http::HeaderBlock& fields);

}  // namespace telltale::http1
