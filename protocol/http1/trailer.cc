#include "protocol/http/field_id.h"
#include "protocol/http1/chunked.h"

#include <algorithm>
#include <array>

namespace telltale::http1 {
namespace {

/// RFC 9110 6.5.1: framing, routing, request modifiers, authentication, response control, content format. What the
/// registry of fields knows is not repeated here.
constexpr auto refused_names = std::to_array<std::string_view>({
    "accept-encoding",
    "age",
    "authentication-info",
    "authorization",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-location",
    "content-range",
    "content-security-policy",
    "content-type",
    "cookie",
    "expires",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authentication-info",
    "range",
    "refresh",
    "retry-after",
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
    "vary",
    "warning",
    "www-authenticate",
    "x-http-method-override",
});

}  // namespace

bool trailer_allowed(http::FieldId id, std::string_view name) {
  if (id != http::FieldId::other) return false;
  return std::none_of(refused_names.begin(), refused_names.end(),
                      [&](std::string_view refused) { return http::folded_equal(refused, name); });
}

}  // namespace telltale::http1
