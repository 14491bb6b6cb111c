#pragma once

#include <openssl/types.h>

#include <stdexcept>
#include <string>

namespace telltale::proxy {

/// Why it cannot be written.
struct KeyLogError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// For debugging: the secrets of every TLS connection, to a file that Wireshark and its kin decrypt what they recorded
/// with (SSLKEYLOGFILE format, draft-ietf-tls-keylogfile). One file for the process, by `telltale run --tls-key-log`
/// alone: the environment says nothing here.
///
/// Appends to the file, or makes it with mode 0600, and warns. Before any context is made, and while there is but one
/// thread. Throws KeyLogError: it cannot be opened, or others may read it.
void log_tls_keys(const std::string& path);

/// To be called for every context that is made, of either role: nothing, unless log_tls_keys() was called.
void log_keys_of(SSL_CTX* context);

}  // namespace telltale::proxy
