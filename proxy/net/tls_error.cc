#include "proxy/net/tls_error.h"

#include <boost/asio/error.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <limits>

namespace telltale::proxy {
namespace {

using boost::system::error_code;

// Boost's error_category has a protected destructor that is not virtual, on purpose: categories are constants.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
/// Values of this category: OpenSSL's own, the negative of what verification came to (X509_V_ERR_…), or this one.
constexpr int wrong_protocol = std::numeric_limits<int>::min();
class TlsCategory final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "tls"; }
  std::string message(int value) const override {
    if (value == wrong_protocol) return "the protocol that the peer chose (ALPN) is not HTTP/1.1";
    if (value < 0) return X509_verify_cert_error_string(-static_cast<long>(value));
    const auto code = static_cast<unsigned long>(value);
    const char* reason = ERR_reason_error_string(code);
    const std::string text = reason != nullptr ? reason : "unknown error";
    const bool no_record = ERR_GET_LIB(code) == ERR_LIB_SSL && (ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER ||
                                                                ERR_GET_REASON(code) == SSL_R_PACKET_LENGTH_TOO_LONG);
    return no_record ? text + ": what came does not look like TLS" : text;
  }
};
#pragma GCC diagnostic pop

}  // namespace

const boost::system::error_category& tls_category() {
  static const TlsCategory category;
  return category;
}

error_code tls_truncated() {
  constexpr unsigned long code = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_UNEXPECTED_EOF_WHILE_READING);
  return {static_cast<int>(code), tls_category()};
}

error_code tls_wrong_protocol() { return {wrong_protocol, tls_category()}; }

bool is_tls_verify_error(const error_code& error) {
  return error.category() == tls_category() && error.value() < 0 && error.value() != wrong_protocol;
}

bool is_about_our_certificate(const error_code& error) {
  if (error.category() != tls_category() || error.value() < 0) return false;
  const auto code = static_cast<unsigned long>(error.value());
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return false;
  switch (ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED:
      return true;
    default:
      return false;
  }
}

error_code tls_verify_error(long verified) { return {-static_cast<int>(verified), tls_category()}; }

error_code take_tls_error(error_code otherwise) {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  if (code == 0 || code > std::numeric_limits<int>::max()) return otherwise;
  return {static_cast<int>(code), tls_category()};
}

std::string take_tls_message() { return take_tls_error(boost::asio::error::invalid_argument).message(); }

}  // namespace telltale::proxy
