#include "proxy/tls/ocsp.h"

#include "proxy/files/small_file.h"
#include "proxy/net/tls_error.h"
#include "proxy/observe/timestamp.h"
#include "proxy/tls/pem_file.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <new>
#include <string_view>

namespace telltale::proxy {
namespace {

constexpr std::size_t max_file_size = 64 * 1024;

template <auto free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using ResponseHandle = std::unique_ptr<OCSP_RESPONSE, Freer<OCSP_RESPONSE_free>>;
using BasicHandle = std::unique_ptr<OCSP_BASICRESP, Freer<OCSP_BASICRESP_free>>;
using IdHandle = std::unique_ptr<OCSP_CERTID, Freer<OCSP_CERTID_free>>;
using StoreHandle = std::unique_ptr<X509_STORE, Freer<X509_STORE_free>>;

std::string minute(OcspResponse::Time time) { return format_timestamp(time).substr(0, 16) + "Z"; }

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  ERR_clear_error();
  throw std::runtime_error(path + ": " + why);
}

BasicHandle parse(const std::string& path, std::string_view der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const ResponseHandle response(d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size())));
  if (!response) fail(path, "not an OCSP response in DER");
  if (const auto rest = der.data() + der.size() - reinterpret_cast<const char*>(at); rest != 0) {
    fail(path, std::to_string(rest) + " bytes follow the OCSP response");
  }
  const int status = OCSP_response_status(response.get());
  if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    fail(path, std::string("the responder refused to answer: ") + OCSP_response_status_str(status));
  }
  BasicHandle basic(OCSP_response_get1_basic(response.get()));
  if (!basic) fail(path, "not a basic OCSP response");
  return basic;
}

/// Whether it is about this certificate. Without its issuer the key that signed it is not compared.
bool is_about(const OCSP_CERTID* id, X509* leaf, X509* issuer) {
  ASN1_OBJECT* digest_name = nullptr;
  ASN1_OCTET_STRING* issuer_name = nullptr;
  ASN1_INTEGER* serial = nullptr;
  OCSP_id_get0_info(&issuer_name, &digest_name, nullptr, &serial, const_cast<OCSP_CERTID*>(id));
  if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) != 0) return false;
  const EVP_MD* digest = EVP_get_digestbyobj(digest_name);
  if (digest == nullptr) return false;
  if (issuer != nullptr) {
    const IdHandle ours(OCSP_cert_to_id(digest, leaf, issuer));
    return ours && OCSP_id_cmp(ours.get(), id) == 0;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned size = 0;
  if (X509_NAME_digest(X509_get_issuer_name(leaf), digest, hash.data(), &size) != 1) return false;
  const std::string_view said(reinterpret_cast<const char*>(ASN1_STRING_get0_data(issuer_name)),
                              static_cast<std::size_t>(ASN1_STRING_length(issuer_name)));
  return said == std::string_view(reinterpret_cast<const char*>(hash.data()), size);
}

OCSP_SINGLERESP* find(OCSP_BASICRESP* basic, X509* leaf, X509* issuer) {
  for (int i = 0; i < OCSP_resp_count(basic); ++i) {
    OCSP_SINGLERESP* single = OCSP_resp_get0(basic, i);
    if (is_about(OCSP_SINGLERESP_get0_id(single), leaf, issuer)) return single;
  }
  return nullptr;
}

/// RFC 6960 4.2.2.2: by the issuer, or by whom it has delegated this to. How old it is, is judged elsewhere.
bool is_signed_by(OCSP_BASICRESP* basic, X509* issuer) {
  const StoreHandle store(X509_STORE_new());
  if (!store || X509_STORE_add_cert(store.get(), issuer) != 1) throw std::bad_alloc();
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME);
  const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> certificates(sk_X509_new_null(),
                                                                                [](auto* list) { sk_X509_free(list); });
  sk_X509_push(certificates.get(), issuer);
  return OCSP_basic_verify(basic, certificates.get(), store.get(), 0) == 1;
}

}  // namespace

std::shared_ptr<const OcspResponse> read_ocsp(const std::string& path, X509* leaf, std::span<X509* const> chain) {
  ERR_clear_error();
  auto response = std::make_shared<OcspResponse>();
  response->file = path;
  response->der = SmallFile(path, max_file_size).octets();
  const BasicHandle basic = parse(path, response->der);
  X509* issuer = nullptr;
  if (!chain.empty() && X509_check_issued(chain.front(), leaf) == X509_V_OK) issuer = chain.front();
  OCSP_SINGLERESP* single = find(basic.get(), leaf, issuer);
  if (single == nullptr) fail(path, "says nothing of this certificate: another serial number, or another issuer");
  if (issuer != nullptr && !is_signed_by(basic.get(), issuer)) {
    fail(path, "is not signed by the issuer of the certificate: " + take_tls_message());
  }
  ASN1_GENERALIZEDTIME *from = nullptr, *until = nullptr;
  const int status = OCSP_single_get0_status(single, nullptr, nullptr, &from, &until);
  if (status != V_OCSP_CERTSTATUS_GOOD && status != V_OCSP_CERTSTATUS_REVOKED) {
    fail(path, "the responder does not know this certificate");
  }
  response->revoked = status == V_OCSP_CERTSTATUS_REVOKED;
  response->this_update = time_of(from);
  if (until != nullptr) response->next_update = time_of(until);
  ERR_clear_error();
  return response;
}

std::vector<std::string> doubts(const OcspResponse& response, OcspResponse::Time now) {
  std::vector<std::string> all;
  if (response.revoked) all.emplace_back("says that the certificate is revoked");
  if (response.next_update && now >= *response.next_update) {
    all.push_back("is good until " + minute(*response.next_update) + " only: it is not stapled");
  }
  if (now < response.this_update) {
    all.push_back("is good from " + minute(response.this_update) + " on: it is not stapled before");
  }
  return all;
}

}  // namespace telltale::proxy
