#include "proxy/tls/certificate.h"

#include "conf/text.h"
#include "proxy/net/tls_error.h"
#include "proxy/tls/pem_file.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace telltale::proxy {
namespace {

using std::chrono::system_clock;

constexpr int min_rsa_bits = 2048;

std::string lower(const ASN1_STRING* text) {
  return conf::to_lower(
      {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<std::size_t>(ASN1_STRING_length(text))});
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
    names.push_back(lower(name->d.dNSName));
  }
  if (!names.empty()) return names;
  const X509_NAME* subject = X509_get_subject_name(leaf);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return names;
  names.push_back(lower(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
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
  const bool at_end = take_end_of_pem();
  if (!out.leaf && at_end) throw CertificateError(path + ": there is no certificate in it", false);
  if (!at_end) throw CertificateError(path + ": " + take_tls_message(), false);
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

void read_staple(const std::string& path, Certificate& out) try {
  std::vector<X509*> chain;
  for (const auto& each : out.chain) chain.push_back(each.get());
  out.ocsp = read_ocsp(path, out.leaf.get(), chain);
} catch (const std::runtime_error& error) {
  throw OcspError(error.what());
}

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
  if (!files.ocsp.empty()) read_staple(files.ocsp, *certificate);
  return certificate;
}

std::vector<std::string> doubts(const Certificate& certificate, system_clock::time_point now, ShownBy shown_by) {
  std::vector<std::string> all;
  if (now >= certificate.not_after) {
    all.push_back("expired on " + date_text(certificate.not_after));
  } else if (now + expires_soon >= certificate.not_after) {
    all.push_back("expires on " + date_text(certificate.not_after));
  }
  if (now < certificate.not_before) all.push_back("is not valid before " + date_text(certificate.not_before));
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
