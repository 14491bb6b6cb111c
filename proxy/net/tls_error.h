#pragma once

#include <boost/system/error_code.hpp>

#include <string>

namespace telltale::proxy {

/// What OpenSSL found wrong, in words: "certificate has expired", "no shared cipher".
const boost::system::error_category& tls_category();

/// The octets ended without a close_notify (RFC 8446 6.1): somebody may have cut them off.
boost::system::error_code tls_truncated();
/// What the peer chose by ALPN is not what is spoken here.
boost::system::error_code tls_wrong_protocol();
/// Of verification: an X509_V_ERR_….
boost::system::error_code tls_verify_error(long verified);
/// The first error in this thread's queue, which is emptied; `otherwise` if there is none.
boost::system::error_code take_tls_error(boost::system::error_code otherwise);

/// Whether it is one of verification, or what the peer says of a certificate of ours (an alert).
bool is_tls_verify_error(const boost::system::error_code& error);
bool is_about_our_certificate(const boost::system::error_code& error);

/// take_tls_error() as text, for a file that could not be read.
std::string take_tls_message();

}  // namespace telltale::proxy
