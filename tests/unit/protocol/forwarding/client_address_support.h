#pragma once

#include "tests/unit/protocol/forwarding/support.h"

#include <gtest/gtest.h>

#include <string>

namespace telltale::forwarding::test {

// "192.0.2.1 0 header", then the hops and the rejected tokens that a case cares for.
inline std::string client_of(const ClientAddress& result) {
  return (result.address ? result.address->to_string() : "none") + " " + std::to_string(result.port) + " " +
         std::string(to_string(result.provenance));
}
inline std::string hops_of(const ClientAddress& result) {
  std::string out;
  for (const Hop& hop : result.hops) {
    out += out.empty() ? "" : " > ";
    out += hop.address.address.to_string();
    out += hop.verdict == HopVerdict::client ? "!" : "";
  }
  return out;
}
inline std::string rejected_of(const ClientAddress& result) {
  std::string out;
  for (const Rejected& rejected : result.rejected) {
    out += out.empty() ? "" : ", ";
    out += rejected.token + "=" + std::string(to_string(rejected.reason));
  }
  return out;
}

struct Case {
  const char* description;
  PeerInfo peer;
  HeaderTrust trust;
  const char* header_lines;
  const char* client;
  const char* hops;
  const char* rejected;
};

inline void check(const Case& c) {
  SCOPED_TRACE(c.description);
  ClientAddress result;
  EXPECT_EQ(resolve_client_address(c.peer, fields(c.header_lines), c.trust, result), ResolveStatus::ok);
  EXPECT_EQ(client_of(result), c.client);
  EXPECT_EQ(hops_of(result), c.hops);
  EXPECT_EQ(rejected_of(result), c.rejected);
}

inline PeerInfo unix_peer() { return {}; }

inline constexpr const char* any_v4 = "0.0.0.0/0";

}  // namespace telltale::forwarding::test
