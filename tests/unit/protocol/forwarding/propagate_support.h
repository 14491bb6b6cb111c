#pragma once

#include "protocol/forwarding/propagate.h"
#include "tests/unit/protocol/forwarding/support.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace telltale::forwarding::test {

struct Request {
  PeerInfo peer;
  HeaderTrust trust;
  std::string lines;
  std::string_view scheme = "http";
  std::string_view host = "shop.example.com";
  unsigned http_minor = 1;
};

inline Propagate none() {
  Propagate p;
  p.x_forwarded_for = ListMode::remove;
  p.via = false;
  return p;
}

// The head's fields as a backend gets them: those kept, then ours.
inline std::string sent(const Request& request, const Propagate& propagate) {
  const http::HeaderBlock received = fields(request.lines);
  ClientAddress client;
  EXPECT_EQ(resolve_client_address(request.peer, received, request.trust, client), ResolveStatus::ok);
  std::string out;
  for (const http::HeaderBlock::Field field : received) {
    if (!keeps_field(field.id, field.name, request.trust, client, propagate)) continue;
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  append_identity_fields(out, received, request.trust, propagate,
                         {request.peer, client, request.scheme, request.host, request.http_minor});
  return out;
}

inline const PeerInfo direct = tcp("198.51.100.7:5000");
inline const PeerInfo lb = tcp("10.0.0.1:1000");
inline net::CidrSet private_net() { return cidrs({"10.0.0.0/8"}); }

}  // namespace telltale::forwarding::test
