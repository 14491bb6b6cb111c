#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <unistd.h>

namespace telltale::proxy::test {

/// A certificate and its key, made on the spot (P-256).
class Certificate {
 public:
  struct Options {
    std::string common_name = "test";
    std::string names;    ///< as subjectAltName has it: `DNS:a.example,IP:127.0.0.1`; empty: none
    long begins = -3600;  ///< seconds from now
    long ends = 3600;
    bool authority = false;
  };

  /// Signed by itself.
  explicit Certificate(const Options& options) : Certificate(options, nullptr) {}
  Certificate(const Options& options, const Certificate& issuer) : Certificate(options, &issuer) {}

  std::string pem() const {
    BIO* out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(out, x509_.get());
    return drained(out);
  }
  void use_in(SSL_CTX* context) const {
    SSL_CTX_use_certificate(context, x509_.get());
    SSL_CTX_use_PrivateKey(context, key_.get());
  }
  std::string key_pem() const {
    BIO* out = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(out, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    return drained(out);
  }

 private:
  Certificate(const Options& options, const Certificate* issuer)
      : key_(EVP_EC_gen("P-256"), &EVP_PKEY_free), x509_(X509_new(), &X509_free) {
    static long serial = 0;
    X509* made = x509_.get();
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made), options.begins);
    X509_gmtime_adj(X509_getm_notAfter(made), options.ends);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(options.common_name.c_str()), -1, -1, 0);
    const Certificate& signer = issuer != nullptr ? *issuer : *this;
    X509_set_issuer_name(made, X509_get_subject_name(signer.x509_.get()));
    X509_set_pubkey(made, key_.get());
    if (!options.names.empty()) extend(NID_subject_alt_name, options.names);
    if (options.authority) extend(NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(made, signer.key_.get(), EVP_sha256());
  }

  void extend(int kind, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    X509_add_ext(x509_.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }

  static std::string drained(BIO* out) {
    char* octets = nullptr;
    const long size = BIO_ctrl(out, BIO_CTRL_INFO, 0, &octets);
    std::string text(octets, static_cast<std::size_t>(size));
    BIO_free(out);
    return text;
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> x509_;
};

/// A file of its own while the test lasts.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    char path[] = "/tmp/telltale-test-XXXXXX";
    const int fd = ::mkstemp(path);
    ::close(fd);
    path_ = path;
    write(text);
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  /// As an atomic replacement.
  void write(const std::string& text) const {
    const std::string fresh = path_ + ".new";
    std::ofstream(fresh) << text;
    std::rename(fresh.c_str(), path_.c_str());
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace telltale::proxy::test
