#include "proxy/tls/certificate.h"

#include "proxy/net/tls_error.h"
#include "proxy/observe/timestamp.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <sys/stat.h>
#include <system_error>

namespace telltale::proxy {
namespace {

using std::chrono::system_clock;

constexpr off_t max_file_size = 1024 * 1024;
constexpr int min_rsa_bits = 2048;
constexpr std::chrono::hours soon{14 * 24};

struct BioFreer {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};
using BioHandle = std::unique_ptr<BIO, BioFreer>;

BioHandle open_file(const std::string& path, bool of_key, struct stat& status) {
  if (::stat(path.c_str(), &status) != 0) {
    throw CertificateError(path + ": " + std::system_category().message(errno), of_key);
  }
  if (!S_ISREG(status.st_mode)) throw CertificateError(path + ": not a regular file", of_key);
  if (status.st_size > max_file_size) throw CertificateError(path + ": longer than 1 MiB", of_key);
  BioHandle file(BIO_new_file(path.c_str(), "re"));
  if (!file) throw CertificateError(path + ": " + std::system_category().message(errno), of_key);
  return file;
}

system_clock::time_point time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return system_clock::from_time_t(::timegm(&parts));
}

/// Nobody can be asked for a passphrase.
int no_passphrase(char*, int, int, void*) { return -1; }

std::string lower(const unsigned char* octets, int size) {
  std::string text(reinterpret_cast<const char*>(octets), static_cast<std::size_t>(size));
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return text;
}

/// RFC 6125 6.4: the common name only where the SAN has no DNS name.
std::vector<std::string> names_of(X509* leaf) {
  std::vector<std::string> names;
  struct NamesFreer {
    void operator()(GENERAL_NAMES* list) const { GENERAL_NAMES_free(list); }
  };
  const std::unique_ptr<GENERAL_NAMES, NamesFreer> list(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; list && i < sk_GENERAL_NAME_num(list.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(list.get(), i);
    if (name->type != GEN_DNS) continue;
    names.push_back(lower(ASN1_STRING_get0_data(name->d.dNSName), ASN1_STRING_length(name->d.dNSName)));
  }
  if (!names.empty()) return names;
  const X509_NAME* subject = X509_get_subject_name(leaf);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return names;
  const ASN1_STRING* common = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
  names.push_back(lower(ASN1_STRING_get0_data(common), ASN1_STRING_length(common)));
  return names;
}

void read_chain(const std::string& path, Certificate& out) {
  struct stat status{};
  const BioHandle file = open_file(path, false, status);
  ERR_clear_error();
  while (X509* next = PEM_read_bio_X509(file.get(), nullptr, no_passphrase, nullptr)) {
    Certificate::X509Handle owned(next);
    if (!out.leaf) {
      out.leaf = std::move(owned);
    } else {
      out.chain.push_back(std::move(owned));
    }
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!out.leaf && at_end) throw CertificateError(path + ": there is no certificate in it", false);
  if (!at_end) throw CertificateError(path + ": " + take_tls_message(), false);
  ERR_clear_error();
}

void read_key(const std::string& path, Certificate& out) {
  struct stat status{};
  const BioHandle file = open_file(path, true, status);
  ERR_clear_error();
  out.key.reset(PEM_read_bio_PrivateKey(file.get(), nullptr, no_passphrase, nullptr));
  out.world_readable = (status.st_mode & S_IROTH) != 0;
  if (out.key) return;
  const auto is_about_passphrase = [](unsigned long error) { return ERR_GET_REASON(error) == PEM_R_BAD_PASSWORD_READ; };
  const bool encrypted = is_about_passphrase(ERR_peek_error()) || is_about_passphrase(ERR_peek_last_error());
  const std::string why = take_tls_message();
  if (encrypted) {
    throw CertificateError(path + ": the key is encrypted, and nobody is there to be asked for its passphrase", true);
  }
  // OpenSSL says "unsupported" of what holds no key at all.
  throw CertificateError(path + ": there is no private key in it that can be read (" + why + ")", true);
}

void judge(const conf::CertificateFiles& files, Certificate& out) {
  out.key_type = EVP_PKEY_get_base_id(out.key.get());
  if (X509_check_private_key(out.leaf.get(), out.key.get()) != 1) {
    ERR_clear_error();
    throw CertificateError(files.key + ": not the key of " + files.certificate, true);
  }
  const bool known = out.key_type == EVP_PKEY_RSA || out.key_type == EVP_PKEY_EC || out.key_type == EVP_PKEY_ED25519;
  if (!known) throw CertificateError(files.key + ": neither RSA nor ECDSA nor Ed25519", true);
  if (out.key_type == EVP_PKEY_RSA && EVP_PKEY_get_bits(out.key.get()) < min_rsa_bits) {
    throw CertificateError(files.key + ": an RSA key of " + std::to_string(EVP_PKEY_get_bits(out.key.get())) +
                               " bits is too weak; 2048 are the least",
                           true);
  }
}

std::string date(system_clock::time_point time) { return format_timestamp(time).substr(0, 10); }

}  // namespace

void Certificate::Freer::operator()(X509* certificate) const { X509_free(certificate); }
void Certificate::Freer::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

std::shared_ptr<const Certificate> read_certificate(const conf::CertificateFiles& files) {
  auto certificate = std::make_shared<Certificate>();
  certificate->file = files.certificate;
  read_chain(files.certificate, *certificate);
  read_key(files.key, *certificate);
  judge(files, *certificate);
  certificate->names = names_of(certificate->leaf.get());
  certificate->not_before = time_of(X509_get0_notBefore(certificate->leaf.get()));
  certificate->not_after = time_of(X509_get0_notAfter(certificate->leaf.get()));
  return certificate;
}

std::vector<std::string> doubts(const Certificate& certificate, system_clock::time_point now, ShownBy shown_by) {
  std::vector<std::string> all;
  if (now >= certificate.not_after) {
    all.push_back("expired on " + date(certificate.not_after));
  } else if (now + soon >= certificate.not_after) {
    all.push_back("expires on " + date(certificate.not_after));
  }
  if (now < certificate.not_before) all.push_back("is not valid before " + date(certificate.not_before));
  X509* last = certificate.leaf.get();
  for (const auto& next : certificate.chain) {
    if (X509_check_issued(next.get(), last) != X509_V_OK) {
      all.emplace_back("is followed by a chain that does not hang together: each has to be signed by the next one");
      break;
    }
    last = next.get();
  }
  if (certificate.names.empty() && shown_by == ShownBy::server)
    all.emplace_back("names no host: it can only be the default");
  if (certificate.world_readable) all.emplace_back("has a key that everybody on this machine may read; chmod 0600");
  ERR_clear_error();
  return all;
}

}  // namespace telltale::proxy
