#pragma once

#include "protocol/http1/head.h"
#include "protocol/http1/parser.h"

#include <boost/system/result.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

/// How a body ends, RFC 9112 6.3, decided once for each head. Whatever two readers could take differently is refused:
/// bad_framing, or unknown_coding for a coding before `chunked` that we do not speak.
namespace telltale::http1 {

/// A Content-Length value: digits only, at most 2^63 - 1. nullopt also for a list, however equal its elements.
std::optional<std::uint64_t> parse_content_length(std::string_view value);

/// Never until_close. `minor` is the version's: 1.0 has no transfer codings.
boost::system::result<BodyFraming> request_framing(const http::HeaderBlock& fields, unsigned minor);

/// By the fields alone; content_is_forbidden() comes first. until_close if they say nothing.
boost::system::result<BodyFraming> response_framing(const http::HeaderBlock& fields, unsigned minor);

/// Whether a response has no body whatever its fields say: to HEAD, 1xx, 204, 304.
bool content_is_forbidden(Method request_method, unsigned status);

}  // namespace telltale::http1
