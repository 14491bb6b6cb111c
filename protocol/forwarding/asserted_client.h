#pragma once

#include "protocol/assertion/assertion.h"
#include "protocol/forwarding/client_address.h"

#include <cstdint>
#include <optional>
#include <string>
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
///   already; the socket's and the PROXY header's hops stay, they brought it here. It wins over PROXY and header
///   whatever they say.
/// - Anything else, and more than one line, is dropped: `rejected` says why, and `result` stays what the other layers
///   said, as if it had not come. To refuse such a request instead is the caller's to decide, by the verdict.
///
/// nullopt: the request has none. Only lines with the real name are read, as for the configured header.
std::optional<assertion::Verdict> apply_assertion(const http::HeaderBlock& fields, const AssertionCheck& check,
                                                  ClientAddress& result);

/// The same for the assertion in the PROXY header of the connection, which is looked at when the request itself has
/// none that is valid: an invalid one is as if it had not come. Its age is what it was when the header came, whatever
/// `check.now` is: the connection may live longer than max_age. The authority is each request's. Two TLVs of the type
/// are malformed.
std::optional<assertion::Verdict> apply_tlv_assertion(const PeerInfo& peer, std::uint8_t tlv,
                                                      const AssertionCheck& check, ClientAddress& result);

/// Whether the request has one that apply_assertion() judges.
bool has_assertion(const http::HeaderBlock& fields);

/// Keeps in `peer` that its PROXY header came `now` (seconds since 1970 UTC), if an assertion is in it under this type
/// (0: none is looked for). For when the PROXY phase is over; a second call changes nothing.
void date_assertion(PeerInfo& peer, std::uint8_t tlv, std::int64_t now);

/// Writes over the assertion in this TLV, for what is shown to people: whoever sees one can use it.
void blank_assertion(std::string& tlvs, std::uint8_t tlv);

/// Why one of this verdict is not believed. `valid` has no reason: it is taken for malformed.
RejectReason reason_of(assertion::Verdict verdict);

/// What a valid one does to `result`: the first rule of apply_assertion().
void believe_assertion(const net::IpPort& client, ClientAddress& result);

}  // namespace telltale::forwarding
