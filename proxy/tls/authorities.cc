#include "proxy/tls/authorities.h"

#include "proxy/net/tls_error.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <cerrno>
#include <sys/stat.h>
#include <system_error>
#include <utility>

namespace telltale::proxy {
namespace {

constexpr off_t max_file_size = 4 * 1024 * 1024;  // a system's bundle has 200 KiB

int no_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

std::vector<Certificate::X509Handle> read_authorities(const std::string& file) {
  const auto refuse = [&file](const std::string& why) -> CertificateError { return {file + ": " + why, false}; };
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0) throw refuse(std::system_category().message(errno));
  if (!S_ISREG(status.st_mode)) throw refuse("not a regular file");
  if (status.st_size > max_file_size) throw refuse("longer than 4 MiB");
  ERR_clear_error();
  const std::unique_ptr<BIO, int (*)(BIO*)> in(BIO_new_file(file.c_str(), "re"), &BIO_free);
  if (!in) {
    ERR_clear_error();
    throw refuse(std::system_category().message(errno));
  }
  std::vector<Certificate::X509Handle> all;
  while (X509* next = PEM_read_bio_X509_AUX(in.get(), nullptr, no_passphrase, nullptr)) all.emplace_back(next);
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string why = take_tls_message();
  if (!at_end) throw refuse(why);
  if (all.empty()) throw refuse("there is no certificate in it");
  return all;
}

std::shared_ptr<const BackendFiles> read_backend_files(const conf::BackendTls& conf) {
  auto files = std::make_shared<BackendFiles>();
  if (!conf.ca_file.empty() && conf.verify != conf::TlsVerify::none)
    files->authorities = read_authorities(conf.ca_file);
  if (conf.client_certificate) files->certificate = read_certificate(*conf.client_certificate);
  return files;
}

}  // namespace telltale::proxy
