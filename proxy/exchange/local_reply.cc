#include "proxy/exchange/local_reply.h"

#include "protocol/http1/serializer.h"

namespace telltale::proxy {
namespace {

constexpr std::string_view retry_after_seconds = "5";

}  // namespace

LocalReply error_reply(unsigned status, std::string_view detail) {
  LocalReply reply{.status = status, .body = std::to_string(status), .fields = {}};
  reply.body.append(" ").append(http1::reason_phrase(status));
  if (!detail.empty()) reply.body.append(": ").append(detail);
  reply.body.append("\n");
  http1::append_field(reply.fields, "Content-Type", "text/plain; charset=utf-8");
  if (status == 503) http1::append_field(reply.fields, "Retry-After", retry_after_seconds);
  if (status == 405) http1::append_field(reply.fields, "Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE, PATCH");
  return reply;
}

LocalReply fixed_reply(const conf::FixedAnswer& answer) {
  LocalReply reply{.status = answer.status, .body = answer.body, .fields = {}};
  if (!answer.body.empty()) http1::append_field(reply.fields, "Content-Type", answer.content_type);
  return reply;
}

LocalReply redirect_reply(const conf::Redirect& redirect, const http1::RequestHead& request, std::string_view host,
                          std::string_view scheme) {
  std::string location(redirect.scheme.empty() ? scheme : std::string_view(redirect.scheme));
  location.append("://");
  // Another scheme is served on another port: the requested one only goes along with the requested scheme.
  if (!redirect.host.empty()) {
    location.append(redirect.host);
  } else if (request.authority.empty()) {
    location.append(host);
  } else {
    location.append(redirect.scheme.empty() || redirect.scheme == scheme ? std::string_view(request.authority)
                                                                         : request.host());
  }
  location.append(redirect.path.empty() ? std::string_view(request.target) : std::string_view(redirect.path));
  LocalReply reply{.status = redirect.status, .body = {}, .fields = {}};
  http1::append_field(reply.fields, "Location", location);
  return reply;
}

}  // namespace telltale::proxy
