#pragma once

#include "protocol/assertion/assertion.h"
#include "protocol/forwarding/client_address.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace telltale::forwarding {

/// What an incoming assertion is checked with.
struct AssertionCheck {
  assertion::Keyring& keys;
  assertion::Window window;
  std::int64_t now;            ///< seconds since 1970 UTC
  std::string_view authority;  ///< of the request at hand
};

/// The layer above the others: a signed assertion (`X-Telltale-Client`) is believed from anybody, for what makes it
/// true is its key, not who carries it. `result` is what resolve_client_address() found for the same request.
///
/// - Valid: its client is the client, and hops that a header named are dropped, for the signer has resolved them
/// already;
///   the socket's and the PROXY header's hops stay, they brought it here. It wins over PROXY and header whatever they
///   say.
/// - Anything else, and more than one line, is dropped: `rejected` says why, and `result` stays what the other layers
///   said, as if it had not come. To refuse such a request instead is the caller's to decide, by the verdict.
///
/// nullopt: the request has none. Only lines with the real name are read, as for the configured header.
std::optional<assertion::Verdict> apply_assertion(const http::HeaderBlock& fields, const AssertionCheck& check,
                                                  ClientAddress& result);

/// Why one of this verdict is not believed. `valid` has no reason: it is taken for malformed.
RejectReason reason_of(assertion::Verdict verdict);

/// What a valid one does to `result`: the first rule of apply_assertion().
void believe_assertion(const net::IpPort& client, ClientAddress& result);

}  // namespace telltale::forwarding
