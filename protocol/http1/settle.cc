#include "protocol/http1/settle.h"

#include "protocol/http1/authority.h"
#include "protocol/http1/connection.h"
#include "protocol/http1/framing.h"
#include "protocol/http1/syntax.h"
#include "protocol/http1/target.h"

namespace telltale::http1 {
namespace {

using boost::system::error_code;
using http::FieldId;

/// Host (RFC 9112 3.2): exactly one from HTTP/1.1, at most one from 1.0. nullopt if there is none, or an empty one from
/// 1.0.
boost::system::result<std::optional<Authority>> read_host(const http::HeaderBlock& fields, unsigned minor) {
  const std::size_t count = fields.has(FieldId::host) ? fields.count(FieldId::host) : 0;
  if (count > 1 || (count == 0 && minor >= 1)) return Error::bad_host;
  if (count == 0) return std::nullopt;
  const std::string_view value = *fields.first(FieldId::host);
  if (value.empty() && minor == 0) return std::nullopt;
  const std::optional<Authority> host = parse_authority(value);
  if (!host) return Error::bad_host;
  return host;
}

/// RFC 9112 3.2.2: the absolute-form's authority wins over Host. One that differs is refused instead: a backend or
/// cache that looks at the other one would route the request elsewhere.
error_code settle_target(RequestHead& head) {
  const auto target = parse_target(head.method, head.target);
  if (!target) return target.error();
  const auto host = read_host(head.fields, head.minor_version);
  if (!host) return host.error();
  if (!target->authority) {
    if (*host) assign_authority(head.authority, **host);
    return {};
  }
  if (*host && !same_authority(*target->authority, **host, target->default_port)) return Error::bad_host;
  head.from_absolute_form = true;
  assign_authority(head.authority, *target->authority);
  const std::string_view rest = target->path_and_query;
  const bool whole_server = rest.empty() && head.method == Method::options;  // RFC 9112 3.2.4
  head.target.erase(0, head.target.size() - rest.size());
  if (whole_server) {
    head.target.assign(1, '*');
  } else if (head.target.empty() || head.target.front() != '/') {
    head.target.insert(0, 1, '/');
  }
  return {};
}

error_code settle_expectation(RequestHead& head) {
  if (!head.fields.has(FieldId::expect)) return {};
  const bool continues =
      head.fields.count(FieldId::expect) == 1 && iequals(*head.fields.first(FieldId::expect), "100-continue");
  if (!continues) return Error::bad_expect;
  // RFC 9110 10.1.1: from HTTP/1.0 it is ignored.
  const bool has_body = head.body.kind == Framing::chunked || head.body.length > 0;
  head.expects_continue = has_body && head.minor_version >= 1;
  return {};
}

/// RFC 9112 9.3.
bool persists(const ConnectionOptions& options, unsigned minor) {
  return !options.close && (minor >= 1 || options.keep_alive);
}

}  // namespace

Method method_of(std::string_view text) {
  switch (text.size()) {
    case 3:
      return text == "GET" ? Method::get : text == "PUT" ? Method::put : Method::other;
    case 4:
      return text == "POST" ? Method::post : text == "HEAD" ? Method::head : Method::other;
    case 5:
      return text == "PATCH" ? Method::patch : text == "TRACE" ? Method::trace : Method::other;
    case 6:
      return text == "DELETE" ? Method::delete_ : Method::other;
    case 7:
      return text == "OPTIONS" ? Method::options : text == "CONNECT" ? Method::connect : Method::other;
    default:
      return Method::other;
  }
}

error_code settle_request(RequestHead& head) {
  if (const error_code error = settle_target(head)) return error;
  const auto options = read_connection(head.fields);
  if (!options) return options.error();
  const auto framing = request_framing(head.fields, head.minor_version);
  if (!framing) return framing.error();
  head.body = *framing;
  head.keep_alive = persists(*options, head.minor_version);
  const bool has_body = head.body.kind == Framing::chunked || head.body.length > 0;
  head.wants_upgrade = options->upgrade && !has_body && head.minor_version >= 1 && may_tunnel(head.fields);
  return settle_expectation(head);
}

error_code settle_response(ResponseHead& head, ResponseContext context) {
  const auto options = read_connection(head.fields);
  if (!options) return options.error();
  // RFC 9110 15.2.2, 7.8.
  const bool valid_switch = context.upgrade_requested && head.minor_version >= 1 && options->upgrade &&
                            head.fields.has(FieldId::upgrade) && may_tunnel(head.fields);
  if (head.status == 101 && !valid_switch) return Error::unexpected_upgrade;
  const auto framing = response_framing(head.fields, head.minor_version);
  if (!framing) return framing.error();
  head.body = *framing;
  if (content_is_forbidden(context.method, head.status)) {
    // RFC 9112 6.3, 1. A length says what a GET would have got, but not of 1xx and 204 (RFC 9110 8.6).
    const bool describes = head.status >= 200 && head.status != 204 && framing->kind == Framing::content_length;
    if (describes) head.declared_length = framing->length;
    head.body = {};
  }
  head.keep_alive = persists(*options, head.minor_version) && head.body.kind != Framing::until_close;
  return {};
}

}  // namespace telltale::http1
