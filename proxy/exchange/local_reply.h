#pragma once

#include "conf/model.h"
#include "protocol/http1/head.h"

#include <string>
#include <string_view>

namespace telltale::proxy {

/// A response that the proxy itself makes: a redirect, a fixed answer, a refusal.
struct LocalReply {
  unsigned status = 500;
  std::string body;
  std::string fields;  ///< ready lines, Content-Type included
};

/// A refusal or a failure: one line of text, `Retry-After` with 503.
LocalReply error_reply(unsigned status, std::string_view detail = {});
LocalReply fixed_reply(const conf::FixedAnswer& answer);
/// What the redirect leaves open is as requested; `host` is for a request that named none (HTTP/1.0). RFC 9110 15.4.
LocalReply redirect_reply(const conf::Redirect& redirect, const http1::RequestHead& request, std::string_view host,
                          std::string_view scheme);

}  // namespace telltale::proxy
