#pragma once

#include "conf/model.h"
#include "protocol/forwarding/propagate.h"
#include "protocol/http1/head.h"

#include <string>

namespace telltale::proxy {

/// Appends the HTTP/1.1 request head that a backend gets: what was received without hop-by-hop fields (RFC 9110 7.6.1)
/// and without every identity field that is not to be believed, then ours. Re-serialised from the parse: nothing
/// ambiguous is copied.
void append_request_head(std::string& out, const http1::RequestHead& request, const forwarding::HeaderTrust& trust,
                         const forwarding::Propagate& propagate, const forwarding::RequestFacts& facts);

}  // namespace telltale::proxy
