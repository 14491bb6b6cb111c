#include "proxy/tls/pem_file.h"

#include "proxy/observe/timestamp.h"
#include "proxy/tls/certificate.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <cerrno>
#include <ctime>
#include <system_error>

namespace telltale::proxy {

void BioFreer::operator()(BIO* bio) const { BIO_free_all(bio); }

BioHandle open_file(const std::string& path, bool of_key, struct stat& status, off_t max_size) {
  if (::stat(path.c_str(), &status) != 0) {
    throw CertificateError(path + ": " + std::system_category().message(errno), of_key);
  }
  if (!S_ISREG(status.st_mode)) throw CertificateError(path + ": not a regular file", of_key);
  if (status.st_size > max_size) {
    throw CertificateError(path + ": longer than " + std::to_string(max_size / (1024 * 1024)) + " MiB", of_key);
  }
  BioHandle file(BIO_new_file(path.c_str(), "re"));
  if (!file) throw CertificateError(path + ": " + std::system_category().message(errno), of_key);
  return file;
}

int no_passphrase(char*, int, int, void*) { return -1; }

bool take_end_of_pem() {
  const unsigned long error = ERR_peek_last_error();
  const bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (at_end) ERR_clear_error();
  return at_end;
}

std::chrono::system_clock::time_point time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

std::string date_text(std::chrono::system_clock::time_point time) { return format_timestamp(time).substr(0, 10); }

}  // namespace telltale::proxy
