#include "proxy/tls/authorities.h"

#include "proxy/net/tls_error.h"
#include "proxy/tls/pem_file.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <utility>

namespace telltale::proxy {

std::vector<Certificate::X509Handle> read_authorities(const std::string& file) {
  struct stat status{};
  const BioHandle in = open_file(file, false, status);
  ERR_clear_error();
  std::vector<Certificate::X509Handle> all;
  while (X509* next = PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr)) all.emplace_back(next);
  if (!take_end_of_pem()) throw CertificateError(file + ": " + take_tls_message(), false);
  if (all.empty()) throw CertificateError(file + ": there is no certificate in it", false);
  return all;
}

std::shared_ptr<const BackendFiles> read_backend_files(const conf::BackendTls& conf) {
  auto files = std::make_shared<BackendFiles>();
  if (!conf.ca_file.empty() && conf.verify != conf::TlsVerify::none) {
    files->authorities = read_authorities(conf.ca_file);
  }
  if (conf.client_certificate) files->certificate = read_certificate(*conf.client_certificate);
  return files;
}

}  // namespace telltale::proxy
