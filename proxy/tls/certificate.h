#pragma once

#include "conf/model_tls.h"
#include "proxy/tls/ocsp.h"

#include <openssl/types.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace telltale::proxy {

/// Why a certificate cannot be used: a fault of the configuration. `what()` names the file and holds nothing of a key.
struct CertificateError : std::runtime_error {
  CertificateError(const std::string& what, bool is_of_key) : std::runtime_error(what), of_key(is_of_key) {}
  bool of_key;  ///< of the file with the key, or of what it says
};

/// Of the file with a response to staple.
struct OcspError : CertificateError {
  explicit OcspError(const std::string& what) : CertificateError(what, false) {}
};

/// A certificate with its chain and key, as read. Shared by the contexts of all workers: nothing in it changes.
struct Certificate {
  struct Freer {
    void operator()(X509* certificate) const;
    void operator()(EVP_PKEY* key) const;
  };
  using X509Handle = std::unique_ptr<X509, Freer>;

  std::string file;  ///< for what is said of it
  X509Handle leaf;
  std::vector<X509Handle> chain;  ///< those behind it in the file
  std::unique_ptr<EVP_PKEY, Freer> key;
  std::vector<std::string> names;  ///< DNS names, lower case, `*.` allowed: of its SAN, else its common name
  int key_type = 0;                ///< EVP_PKEY_RSA, EVP_PKEY_EC, EVP_PKEY_ED25519
  std::chrono::system_clock::time_point not_before, not_after;
  bool world_readable = false;               ///< everybody on this machine may read the key
  std::shared_ptr<const OcspResponse> ocsp;  ///< null: none
};

/// Reads and judges the files: that they are PEM, belong together, and are strong enough for TLS; that the response to
/// staple is for this certificate (see ocsp.h). Throws CertificateError.
std::shared_ptr<const Certificate> read_certificate(const conf::CertificateFiles& files);

/// What a certificate that can be used lets one fear: expired or about to, not valid yet, a chain that does not hang
/// together, a key that others may read. `now` is the clock's.
enum class ShownBy : bool { server, client };
std::vector<std::string> doubts(const Certificate& certificate, std::chrono::system_clock::time_point now,
                                ShownBy shown_by = ShownBy::server);

}  // namespace telltale::proxy
