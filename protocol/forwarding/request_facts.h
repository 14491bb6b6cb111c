#pragma once

#include "protocol/forwarding/client_address.h"
#include "protocol/tls/alpn.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::forwarding {

struct ObfuscationKey;

/// A certificate that a client proved to have, and that was verified; what it says, as text without control characters:
/// visible ASCII, with blanks in the names alone, but for `common_name` and `der`.
struct ClientCertificate {
  std::string subject, issuer;  ///< RFC 4514
  std::string common_name;      ///< of the subject, UTF-8; empty: it has none, or one with control characters
  std::string serial;           ///< hexadecimal digits, upper case
  std::string fingerprint;      ///< SHA-256, 64 lower-case hexadecimal digits
  /// With their kinds: `DNS:a.example`, `URI:spiffe://a/b`, `IP:192.0.2.1`, `email:a@b.example`. An octet that no such
  /// name can have (a blank, a control character, a backslash, what is not ASCII) is `\HH`.
  std::vector<std::string> sans;
  std::string der;  ///< itself
};

/// What the client's own TLS connection said. Not to be mixed up with what a PROXY header reported of another
/// party's (the ssl TLVs): that is for the TLV variables. Empty: it did not say.
struct TlsFacts {
  std::string_view sni, version, cipher, alpn;
  /// Of the certificate that we showed, as PROXY's SSL TLV names them (2.2.6): `RSA2048`, `EC256`; `RSA-SHA256`.
  std::string_view key_algorithm, signature_algorithm;
  const ClientCertificate* client_cert = nullptr;  ///< null: the client proved to have none
  bool resumed = false;                            ///< the certificate was shown on an earlier connection
  /// False: it is passed through as it came, and only `sni` and what is offered are known.
  bool terminated = true;
  tls::AlpnProtocols offered_alpn;
};

/// What the builders need of one request besides its fields. Views: valid while the request is.
struct RequestFacts {
  static constexpr unsigned no_http = ~0U;
  const PeerInfo& peer;
  const ClientAddress& client;
  std::string_view scheme;         ///< "http" or "https": what the client spoke to us
  std::string_view host;           ///< the authority the request was for
  unsigned http_minor = 1;         ///< for Via; no_http: a connection that is no HTTP
  std::string_view method = {};    ///< as received: GET
  std::string_view target = {};    ///< path and query
  std::string_view listener = {};  ///< its name
  std::uint64_t id_high = 0;       ///< the request id; 0 and 0: none
  std::uint64_t id_low = 0;
  std::uint64_t connection_number = 0;  ///< of the client's connection: no other of this process has it
  const ObfuscationKey* obfuscation_key = nullptr;
  const TlsFacts* tls = nullptr;  ///< null: the client spoke no TLS to us
  /// Ready signed, when the service wants one; empty: the client has no address, or an authority beyond 261 octets.
  std::string_view assertion = {};

  /// The authority without its port; IPv6 keeps its brackets.
  std::string_view host_name() const {
    if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
    return host.substr(0, host.find(':'));
  }
};

}  // namespace telltale::forwarding
