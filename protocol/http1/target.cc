#include "protocol/http1/target.h"

#include "protocol/http1/parser.h"
#include "protocol/http1/syntax.h"

namespace telltale::http1 {
namespace {

/// RFC 9112 3.2.2.
boost::system::result<Target> parse_absolute(std::string_view text) {
  const std::size_t mark = text.find("://");
  if (mark == std::string_view::npos) return Error::bad_target;
  const std::string_view scheme = text.substr(0, mark);
  const bool https = iequals(scheme, "https");
  if (!https && !iequals(scheme, "http")) return Error::bad_target;
  text.remove_prefix(mark + 3);
  const std::size_t path = std::min(text.find_first_of("/?"), text.size());
  const std::optional<Authority> authority = parse_authority(text.substr(0, path));
  if (!authority) return Error::bad_target;
  return Target{text.substr(path), authority, static_cast<std::uint16_t>(https ? 443 : 80)};
}

}  // namespace

boost::system::result<Target> parse_target(Method method, std::string_view text) {
  if (method == Method::connect) return Error::connect_refused;
  for (const char c : text) {
    // RFC 9112 3.2: a target has no fragment; a backend that cuts it off sees another path than we do.
    if (!is_visible(c) || c == '#') return Error::bad_target;
  }
  if (text.empty()) return Error::bad_target;
  if (text.front() == '/') return Target{text, std::nullopt};
  if (text == "*") {
    if (method != Method::options) return Error::bad_target;
    return Target{text, std::nullopt};
  }
  return parse_absolute(text);
}

}  // namespace telltale::http1
