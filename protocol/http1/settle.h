#pragma once

#include "protocol/http1/head.h"
#include "protocol/http1/parser.h"

#include <boost/system/error_code.hpp>

#include <string_view>

namespace telltale::http1 {

/// Methods are case-sensitive (RFC 9110 9.1).
Method method_of(std::string_view text);

/// Decides everything about a request whose lines are in `head` (method, raw target, fields, version): normalises the
/// target, finds the authority, the framing, and what becomes of the connection.
boost::system::error_code settle_request(RequestHead& head);

/// The same for a response (status, reason, fields, version).
boost::system::error_code settle_response(ResponseHead& head, ResponseContext context);

}  // namespace telltale::http1
