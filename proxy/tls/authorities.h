#pragma once

#include "conf/model_tls.h"
#include "proxy/tls/certificate.h"

#include <memory>
#include <string>
#include <vector>

namespace telltale::proxy {

/// The certificates of a file, each of which is believed. Throws CertificateError.
std::vector<Certificate::X509Handle> read_authorities(const std::string& file);

/// What conf::BackendTls names by file, as read. Shared by the contexts of all workers: nothing in it changes.
struct BackendFiles {
  std::vector<Certificate::X509Handle> authorities;  ///< of `ca`; empty: the system's
  std::shared_ptr<const Certificate> certificate;    ///< that we show; null: none
};
/// Throws CertificateError. A `ca` that has no effect is not read.
std::shared_ptr<const BackendFiles> read_backend_files(const conf::BackendTls& conf);

}  // namespace telltale::proxy
