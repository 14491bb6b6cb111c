#pragma once

#include "conf/model_tls.h"
#include "proxy/tls/certificate.h"

#include <openssl/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::proxy {

/// Of the file with the revocation lists.
struct RevocationListError : CertificateError {
  explicit RevocationListError(const std::string& what) : CertificateError(what, false) {}
};

/// Who vouches for clients, and whom they have revoked, as read. Shared by the contexts of all workers: nothing in it
/// changes.
struct ClientAuthorities {
  struct Freer {
    void operator()(X509_CRL* list) const;
  };
  using CrlHandle = std::unique_ptr<X509_CRL, Freer>;

  conf::ClientCertificates conf;
  std::vector<Certificate::X509Handle> authorities;  ///< at least one
  /// Of these, those that no other one has issued, which chains end at, and the rest, which stand between.
  std::vector<X509*> tops, between;
  std::vector<CrlHandle> revocation_lists;
  /// Depends on what every file holds and on how strict we are: a session is resumed only where it is the same, so that
  /// no ticket outlives the revocation of its certificate, nor the authority that vouched for it.
  std::string digest;
};

/// Reads and judges the files: that they are PEM, that the authorities' names fit a handshake, and that each list was
/// signed by the authority that it says, if that is one of them. Throws CertificateError, and of the lists
/// RevocationListError.
std::shared_ptr<const ClientAuthorities> read_client_authorities(const conf::ClientCertificates& conf);

/// What files that can be used let one fear.
struct AuthorityDoubt {
  bool of_list;      ///< of the revocation lists
  std::string text;  ///< with the name of the authority
};
std::vector<AuthorityDoubt> doubts(const ClientAuthorities& authorities, std::chrono::system_clock::time_point now);

struct StoreFreer {
  void operator()(X509_STORE* store) const;
};
using StoreHandle = std::unique_ptr<X509_STORE, StoreFreer>;

/// The authorities at the top and the lists as what handshakes look them up in; it is locked, so each worker has its
/// own.
StoreHandle make_store(const ClientAuthorities& authorities);

/// From now on a context asks for certificates, and has `store` judge them. An authority at the top is believed as it
/// stands: it needs no root above it, and no list of whoever issued it. One between is not: it may have been revoked by
/// the one above it. Clients need not send it. `authorities` must outlive the handshakes.
void ask_for_certificates(SSL_CTX* context, X509_STORE* store, const ClientAuthorities& authorities);

}  // namespace telltale::proxy
