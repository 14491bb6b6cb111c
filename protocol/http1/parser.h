#pragma once

#include "protocol/http1/head.h"

#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace telltale::http1 {

/// Why a head or a body was refused. Values of error_category(); status_for() gives what a client is told.
enum class Error {
  malformed = 1,       ///< llhttp, strict, or the octet rules: bare CR/LF, NUL, obs-fold, space before colon, …
  bad_version,         ///< 505
  target_too_long,     ///< 414
  head_too_large,      ///< 431
  too_many_fields,     ///< 431
  bad_target,          ///< control octets, a fragment, or a form the method does not allow
  bad_host,            ///< missing (1.1), repeated, malformed, or at odds with the absolute-form target
  bad_framing,         ///< CL with TE, more than one CL, TE from 1.0, TE not exactly `chunked`, empty or bad CL
  bad_connection,      ///< nominates an identity, framing or Host field, or more than 10 fields
  connect_refused,     ///< 405: CONNECT is not served
  bad_expect,          ///< 417
  bad_chunk,           ///< chunked coding
  unknown_coding,      ///< 501: a transfer coding other than chunked, before it
  bad_field,           ///< an underscore name refused by configuration
  unexpected_upgrade,  ///< a 101 that was not asked for, or that does not say to what (CVE-2024-23326)
};
const boost::system::error_category& error_category();
boost::system::error_code make_error_code(Error error);
/// The status a client is answered with: 400, 405, 414, 417, 431, 501, 505. Any other error: 400.
unsigned status_for(boost::system::error_code error);

/// Names with `_` that the registry does not know. Those that fold to a known field (`X_Forwarded_For`,
/// `Content_Length`) are always dropped: a backend may take them for it, we never do.
enum class UnderscorePolicy : std::uint8_t { pass, drop, reject };

struct HeadLimits {
  std::size_t max_head_bytes = 32 * 1024;  ///< request line or status line and fields
  std::size_t max_target_bytes = 8 * 1024;
  std::size_t max_fields = 100;
  UnderscorePolicy underscores = UnderscorePolicy::pass;
};

enum class Status : std::uint8_t { need_more, complete, failed };
struct Outcome {
  Status status;
  std::size_t consumed;  ///< octets of this input that belong to the head; the rest is body or the next message
};

/// Parses one request head from octets that come in any cut. llhttp, strict, no lenient flag, stopped at the end of the
/// head; what is complete has passed all of the rules against smuggling and has its framing decided. Leading empty
/// lines (RFC 9112 2.2) are skipped, two at most. Any method that is a token of at most 32 octets passes, as
/// Method::other if it has no value of its own; CONNECT is refused as soon as it is seen. Outcome and error do not
/// depend on how the octets were cut. After complete or failed, feed() consumes nothing until the next start().
class RequestParser {
 public:
  RequestParser();
  ~RequestParser();
  /// Before each message. `head` is cleared and filled; it must outlive the parse.
  void start(RequestHead& head, const HeadLimits& limits);
  Outcome feed(std::string_view octets);
  /// Whether any octet of the message (empty lines before it are none) was seen since start(): an idle close is not an
  /// error.
  bool started() const;
  boost::system::error_code error() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What the response answers: its framing depends on it (RFC 9112 6.3).
struct ResponseContext {
  Method method = Method::get;
  bool upgrade_requested = false;  ///< a 101 is an error otherwise (CVE-2024-23326)
};

/// Parses one response head, with the same rules and the same promise for any cut. No empty line may come before it;
/// the limits' underscore policy is for requests and does not count here. Octets after a response that has no body are
/// the caller's to judge: they are never part of this response.
class ResponseParser {
 public:
  ResponseParser();
  ~ResponseParser();
  /// Before each head, the final one after each interim one too.
  void start(ResponseHead& head, const HeadLimits& limits, ResponseContext context);
  Outcome feed(std::string_view octets);
  bool started() const;
  boost::system::error_code error() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace telltale::http1

template <>
struct boost::system::is_error_code_enum<telltale::http1::Error> : std::true_type {};
