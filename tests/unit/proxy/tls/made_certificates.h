#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Certificates and revocation lists of P-256 keys, made on the spot, with whatever octets in their names.
namespace telltale::proxy::test {

struct OpensslFreer {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_CRL* list) const { X509_CRL_free(list); }
  void operator()(X509_NAME* name) const { X509_NAME_free(name); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
  void operator()(std::FILE* file) const { std::fclose(file); }
};
template <class T>
using Handle = std::unique_ptr<T, OpensslFreer>;

struct MadeCertificate {
  Handle<X509> certificate;
  Handle<EVP_PKEY> key;
};

inline constexpr long day = 24 * 3600;

struct CertificateSpec {
  std::vector<std::pair<const char*, std::string>>
      subject;                                         ///< {"CN", "a"}: UTF-8, any octets; the first is the root's
  std::vector<std::pair<int, std::string>> sans = {};  ///< {GEN_DNS, "a"}: any octets
  bool is_authority = false;
  long begins = -day, ends = 365 * day;  ///< seconds from now
  long serial = 1;
};

inline Handle<X509_NAME> make_name(const std::vector<std::pair<const char*, std::string>>& entries) {
  Handle<X509_NAME> name(X509_NAME_new());
  for (const auto& [type, value] : entries) {
    EXPECT_EQ(X509_NAME_add_entry_by_txt(name.get(), type, V_ASN1_UTF8STRING,
                                         reinterpret_cast<const unsigned char*>(value.data()),
                                         static_cast<int>(value.size()), -1, 0),
              1);
  }
  return name;
}

inline void add_extension(X509* certificate, int nid, const char* value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
  EXPECT_NE(extension, nullptr) << value;
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

inline void add_sans(X509* certificate, const std::vector<std::pair<int, std::string>>& sans) {
  if (sans.empty()) return;
  const Handle<GENERAL_NAMES> names(sk_GENERAL_NAME_new_null());
  for (const auto& [kind, value] : sans) {
    ASN1_STRING* text = ASN1_STRING_type_new(kind == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    ASN1_STRING_set(text, value.data(), static_cast<int>(value.size()));
    GENERAL_NAME* name = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(name, kind, text);
    sk_GENERAL_NAME_push(names.get(), name);
  }
  X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0);
}

/// Signed by `issuer`; null: by itself.
inline MadeCertificate make_certificate(const CertificateSpec& spec, const MadeCertificate* issuer = nullptr) {
  MadeCertificate made{Handle<X509>(X509_new()), Handle<EVP_PKEY>(EVP_EC_gen("P-256"))};
  X509* certificate = made.certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), spec.serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), spec.begins);
  X509_gmtime_adj(X509_getm_notAfter(certificate), spec.ends);
  const Handle<X509_NAME> subject = make_name(spec.subject);
  X509_set_subject_name(certificate, subject.get());
  X509_set_issuer_name(certificate,
                       issuer != nullptr ? X509_get_subject_name(issuer->certificate.get()) : subject.get());
  X509_set_pubkey(certificate, made.key.get());
  add_extension(certificate, NID_basic_constraints, spec.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  add_sans(certificate, spec.sans);
  EXPECT_GT(X509_sign(certificate, issuer != nullptr ? issuer->key.get() : made.key.get(), EVP_sha256()), 0);
  return made;
}

inline MadeCertificate make_authority(const char* name, long ends = 365 * day) {
  return make_certificate({.subject = {{"CN", name}}, .is_authority = true, .ends = ends});
}

/// `named`: who it says it is by. `next`: seconds from now to the one that follows it.
inline Handle<X509_CRL> make_list(const MadeCertificate& named, const MadeCertificate& signer, long next = 30 * day,
                                  long last = -day) {
  Handle<X509_CRL> list(X509_CRL_new());
  X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(named.certificate.get()));
  const auto at = [](long seconds) {
    return std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)>(X509_gmtime_adj(nullptr, seconds), ASN1_TIME_free);
  };
  X509_CRL_set1_lastUpdate(list.get(), at(last).get());
  X509_CRL_set1_nextUpdate(list.get(), at(next).get());
  EXPECT_GT(X509_CRL_sign(list.get(), signer.key.get(), EVP_sha256()), 0);
  return list;
}

inline void append_pem(const std::string& path, X509* certificate) {
  const Handle<std::FILE> file(std::fopen(path.c_str(), "a"));
  ASSERT_EQ(PEM_write_X509(file.get(), certificate), 1);
}
inline void append_pem(const std::string& path, X509_CRL* list) {
  const Handle<std::FILE> file(std::fopen(path.c_str(), "a"));
  ASSERT_EQ(PEM_write_X509_CRL(file.get(), list), 1);
}

}  // namespace telltale::proxy::test
