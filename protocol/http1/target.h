#pragma once

#include "protocol/http1/authority.h"
#include "protocol/http1/head.h"

#include <boost/system/result.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace telltale::http1 {

/// A request target (RFC 9112 3.2) taken apart. The views are into the target.
struct Target {
  std::string_view path_and_query;     ///< `/path?query`, `?query`, `*`, or empty
  std::optional<Authority> authority;  ///< of an absolute-form
  std::uint16_t default_port = 80;     ///< of its scheme
};

/// origin-form for any method, absolute-form of http and https, asterisk-form for OPTIONS. Refused: a fragment, user
/// information, the authority-form (CONNECT: connect_refused), anything that is not visible ASCII.
boost::system::result<Target> parse_target(Method method, std::string_view text);

}  // namespace telltale::http1
