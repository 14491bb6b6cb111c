#pragma once

#include "protocol/http1/head.h"

#include <string>
#include <string_view>

namespace telltale::http1 {

/// Whether a received field belongs to the connection it came by (RFC 9110 7.6.1), as a predicate cheap enough for
/// every field: Connection, Keep-Alive, Proxy-Connection, TE, Transfer-Encoding, Upgrade, HTTP2-Settings, and what
/// Connection nominates. Proxy-Authenticate, Proxy-Authorization and Trailer go on, as they do through nginx and
/// HAProxy: we ask for no credentials of our own and forward trailers. Content-Length is not one of these, but is left
/// to append_framing(). Connection's nominations were checked by the parser: never an identity, framing or Host field,
/// at most 10.
bool is_hop_by_hop(const http::HeaderBlock& fields, http::FieldId id, std::string_view name);

/// Appends `METHOD target HTTP/1.1\r\n` and `Host: authority\r\n`; a request that named no authority (HTTP/1.0) gets
/// `host`.
void append_request_line(std::string& out, const RequestHead& head, std::string_view host = {});

/// Appends `HTTP/1.1 status reason\r\n`.
void append_status_line(std::string& out, unsigned status, std::string_view reason);

/// Appends `Name: value\r\n`.
void append_field(std::string& out, std::string_view name, std::string_view value);

/// Appends Content-Length or Transfer-Encoding for this framing: these two are the only places that write either.
/// Nothing for none and until_close, but `Content-Length: 0` for none with `write_zero_length`.
void append_framing(std::string& out, const BodyFraming& body, bool write_zero_length);
/// The same for a received response: with the declared length of an answer to HEAD or a 304.
void append_framing(std::string& out, const ResponseHead& head);

/// The usual reason phrase, empty for a status nobody named.
std::string_view reason_phrase(unsigned status);

}  // namespace telltale::http1
