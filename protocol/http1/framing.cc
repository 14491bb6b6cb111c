#include "protocol/http1/framing.h"

#include "protocol/http1/syntax.h"

#include <limits>

namespace telltale::http1 {
namespace {

using http::FieldId;

/// Transfer-Encoding other than exactly one `chunked`: whether it is a list of codings with `chunked` last and once
/// (RFC 9112 6.1: 501 for a coding we do not understand), or nonsense.
Error judge_codings(const http::HeaderBlock& fields) {
  bool chunked = false;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const http::HeaderBlock::Field field = fields[i];
    if (field.id != FieldId::transfer_encoding) continue;
    const bool plain = !field.value.empty() && for_each_element(field.value, [&](std::string_view coding) {
      if (chunked || !is_token(coding)) return false;
      chunked = iequals(coding, "chunked");
      return true;
    });
    if (!plain) return Error::bad_framing;
  }
  return chunked ? Error::unknown_coding : Error::bad_framing;
}

/// What both directions share; nullopt if the fields say nothing of a body.
boost::system::result<std::optional<BodyFraming>> explicit_framing(const http::HeaderBlock& fields, unsigned minor) {
  if (fields.has(FieldId::transfer_encoding)) {
    // RFC 9112 6.1: from HTTP/1.0 the framing is faulty; with Content-Length it may be smuggling or splitting.
    if (minor == 0 || fields.has(FieldId::content_length)) return Error::bad_framing;
    const bool exactly_chunked =
        fields.count(FieldId::transfer_encoding) == 1 && iequals(*fields.first(FieldId::transfer_encoding), "chunked");
    if (!exactly_chunked) return judge_codings(fields);
    return BodyFraming{Framing::chunked, 0};
  }
  if (!fields.has(FieldId::content_length)) return std::nullopt;
  if (fields.count(FieldId::content_length) != 1) return Error::bad_framing;
  const std::optional<std::uint64_t> length = parse_content_length(*fields.first(FieldId::content_length));
  if (!length) return Error::bad_framing;
  return BodyFraming{Framing::content_length, *length};
}

}  // namespace

std::optional<std::uint64_t> parse_content_length(std::string_view value) {
  constexpr std::size_t max_digits = std::numeric_limits<std::int64_t>::digits10 + 1;
  if (value.empty() || value.size() > max_digits) return std::nullopt;
  std::uint64_t length = 0;
  for (const char c : value) {
    if (!is_digit(c)) return std::nullopt;
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (length > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return length;
}

boost::system::result<BodyFraming> request_framing(const http::HeaderBlock& fields, unsigned minor) {
  const auto framing = explicit_framing(fields, minor);
  if (!framing) return framing.error();
  return framing->value_or(BodyFraming{Framing::none, 0});
}

boost::system::result<BodyFraming> response_framing(const http::HeaderBlock& fields, unsigned minor) {
  const auto framing = explicit_framing(fields, minor);
  if (!framing) return framing.error();
  return framing->value_or(BodyFraming{Framing::until_close, 0});
}

bool content_is_forbidden(Method request_method, unsigned status) {
  return request_method == Method::head || status < 200 || status == 204 || status == 304;
}

}  // namespace telltale::http1
