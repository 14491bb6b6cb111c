#pragma once

#include "conf/address.h"

#include <cstdint>
#include <string>
#include <vector>

namespace telltale::conf {

/// Mozilla's server side TLS guidelines, version 5.7: which versions, cipher suites and groups a client may choose of.
enum class TlsPolicy : std::uint8_t { intermediate, modern };

/// PEM files with absolute paths.
struct CertificateFiles {
  std::string certificate;  ///< the leaf first, then those that lead to the root
  std::string key;          ///< not encrypted
};

/// TLS as a listener terminates it.
struct ListenerTls {
  std::vector<CertificateFiles> certificates;  ///< at least one; the first is for clients that name no host we know
  TlsPolicy policy = TlsPolicy::intermediate;
  std::vector<std::string> alpn;  ///< RFC 7301, what we prefer first; empty: none is agreed on
  Milliseconds handshake_timeout{10'000};
};

}  // namespace telltale::conf
