#pragma once

#include <boost/system/error_code.hpp>

#include <string>

namespace telltale::proxy {

/// What OpenSSL found wrong, in words: "certificate has expired", "no shared cipher".
const boost::system::error_category& tls_category();

/// The octets ended without a close_notify (RFC 8446 6.1): somebody may have cut them off.
boost::system::error_code tls_truncated();
/// Of verification: an X509_V_ERR_….
boost::system::error_code tls_verify_error(long verified);
/// The first error in this thread's queue, which is emptied; `otherwise` if there is none.
boost::system::error_code take_tls_error(boost::system::error_code otherwise);

/// Likewise, as text for a file that could not be read.
std::string take_tls_message();

}  // namespace telltale::proxy
