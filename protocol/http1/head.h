#pragma once

#include "protocol/http/header_block.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace telltale::http1 {

enum class Method : std::uint8_t { get, head, post, put, delete_, connect, options, trace, patch, other };

/// RFC 9110 9.2.2.
constexpr bool is_idempotent(Method m) {
  return m != Method::post && m != Method::patch && m != Method::connect && m != Method::other;
}

/// How the body ends: decided once, when the head is complete (RFC 9112 6.3).
enum class Framing : std::uint8_t { none, content_length, chunked, until_close };

struct BodyFraming {
  Framing kind = Framing::none;
  std::uint64_t length = 0;  ///< octets, for content_length
};

/// A request head that passed every rule of the parser. Strings keep their capacity across clear(): no allocation per
/// request once warm.
struct RequestHead {
  Method method = Method::get;
  std::string method_text;
  std::string target;     ///< origin-form (`/path?query`) or `*`: absolute-form is normalised (RFC 9112 3.2)
  std::string authority;  ///< of the absolute-form target if that was sent, else Host; lower case; may hold a port; may
                          ///< be empty (HTTP/1.0)
  std::uint8_t minor_version = 1;
  http::HeaderBlock fields;
  BodyFraming body;
  bool keep_alive = true;         ///< RFC 9112 9.3
  bool expects_continue = false;  ///< Expect: 100-continue from HTTP/1.1, with a body to come
  bool wants_upgrade = false;     ///< Connection: upgrade with an Upgrade field, HTTP/1.1, no body; never to HTTP (h2c)
  bool from_absolute_form = false;

  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
  std::string_view query() const;  ///< without the `?`; empty if none
  /// The authority without its port; IPv6 keeps its brackets.
  std::string_view host() const;
  void clear();
};

struct ResponseHead {
  std::uint16_t status = 0;
  std::string reason;
  std::uint8_t minor_version = 1;
  http::HeaderBlock fields;
  BodyFraming body;
  /// Content-Length where it describes a body that is not sent: the answer to HEAD, and 304 (RFC 9110 8.6).
  std::optional<std::uint64_t> declared_length;
  bool keep_alive = true;  ///< the connection may be used again after this body
  bool interim() const { return status >= 100 && status < 200 && status != 101; }
  void clear();
};

}  // namespace telltale::http1
