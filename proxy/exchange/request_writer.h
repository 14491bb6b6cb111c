#pragma once

#include "conf/model.h"
#include "protocol/forwarding/propagate.h"
#include "protocol/http1/head.h"
#include "protocol/http1/parser.h"

#include <string>

namespace telltale::proxy {

/// The authority of a request that names none, which HTTP/1.0 allows: the address that the client aimed at, `localhost`
/// on a Unix socket. What we send needs a Host (RFC 9112 3.2), and many a server refuses an empty one.
std::string address_aimed_at(const forwarding::PeerInfo& peer);

/// Replaces `kept` by the trailer fields that do not claim to say who the client is, by the configuration's names, and
/// that a template does not write; what the registry knows is refused by http1::trailer_allowed(). Names with `_` go on
/// under the policy `pass` alone.
void keep_trailers(const http::HeaderBlock& received, const forwarding::HeaderTrust& trust,
                   http1::UnderscorePolicy underscores, const forwarding::Propagate& propagate,
                   http::HeaderBlock& kept);

/// Appends the HTTP/1.1 request head that a backend gets: what was received without hop-by-hop fields (RFC 9110 7.6.1)
/// and without every identity field that is not to be believed, then ours. Re-serialised from the parse: nothing
/// ambiguous is copied.
void append_request_head(std::string& out, const http1::RequestHead& request, const forwarding::HeaderTrust& trust,
                         const forwarding::Propagate& propagate, const forwarding::RequestFacts& facts);

}  // namespace telltale::proxy
