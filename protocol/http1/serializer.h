#pragma once

#include <string>
#include <string_view>

#include "protocol/http1/head.h"

namespace telltale::http1 {

/// Which received fields are nominated by Connection (RFC 9110 7.6.1), as a predicate cheap enough for every field.
/// Connection's own nominations were checked by the parser: never an identity, framing or Host field, at most 10.
bool is_hop_by_hop(const http::HeaderBlock& fields, http::FieldId id, std::string_view name);

/// Appends `METHOD target HTTP/1.1\r\n` and `Host: authority\r\n` (an empty authority gives an empty Host).
void append_request_line(std::string& out, const RequestHead& head);

/// Appends `HTTP/1.1 status reason\r\n`.
void append_status_line(std::string& out, unsigned status, std::string_view reason);

/// Appends `Name: value\r\n`.
void append_field(std::string& out, std::string_view name, std::string_view value);

/// Appends Content-Length or Transfer-Encoding for this framing: the only place that writes either.
void append_framing(std::string& out, const BodyFraming& body, bool write_zero_length);

/// The usual reason phrase, empty for a status nobody named.
std::string_view reason_phrase(unsigned status);

}  // namespace telltale::http1
