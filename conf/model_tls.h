#pragma once

#include "conf/address.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// The part of the model that is about TLS: see conf/model.h. Files are PEM, with absolute paths, unless it says
/// otherwise.
namespace telltale::conf {

/// Mozilla's server side TLS guidelines, version 5.7: which versions, cipher suites and groups a client may choose of.
enum class TlsPolicy : std::uint8_t { intermediate, modern };

struct CertificateFiles {
  std::string certificate;  ///< the leaf first, then those that lead to the root
  std::string key;          ///< not encrypted
  std::string ocsp;         ///< of a listener's: a response to staple, DER (RFC 6960); empty: none
};

/// Whether clients have to prove who they are by a certificate.
enum class ClientAuth : std::uint8_t { off, optional, required };
struct ClientCertificates {
  ClientAuth mode = ClientAuth::required;  ///< optional: one that is shown must be right all the same
  std::string ca_file;                     ///< whose certificates are believed
  std::string crl_file;                    ///< revoked ones, of every authority in the chain; empty: none are
  unsigned depth = 4;                      ///< authorities between the client's certificate and a root of `ca`
};

/// `Strict-Transport-Security` (RFC 6797) of every response.
struct Hsts {
  Milliseconds max_age{365LL * 24 * 3600 * 1000};
  bool include_subdomains = false, preload = false;
};

/// TLS as a listener terminates it.
struct ListenerTls {
  std::vector<CertificateFiles> certificates;  ///< at least one; the first is for clients that name no host we know
  TlsPolicy policy = TlsPolicy::intermediate;
  std::vector<std::string> alpn;  ///< RFC 7301, what we prefer first; empty: none is agreed on
  Milliseconds handshake_timeout{10'000};
  std::optional<ClientCertificates> client_certificates;  ///< nullopt: none is asked for
  std::string ticket_key_file;  ///< what instances share (proxy/tls/ticket_keys.h); empty: keys of our own
  std::optional<Hsts> hsts;

  bool asks_for_certificate() const { return client_certificates && client_certificates->mode != ClientAuth::off; }
};

enum class TlsVerify : std::uint8_t { full, ca, none };
/// TLS towards a backend, TLS 1.2 or 1.3.
struct BackendTls {
  std::string sni;                     ///< default: the name of the endpoint, or of the probe's `host`, if it has one
  TlsVerify verify = TlsVerify::full;  ///< ca: the chain, not the name
  std::string ca_file;                 ///< empty: the system's
  std::optional<CertificateFiles> client_certificate;  ///< what we prove who we are with
  std::vector<std::string> alpn;                       ///< offered; empty: `http/1.1` by HTTP, none by TCP
};

}  // namespace telltale::conf
