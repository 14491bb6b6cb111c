#pragma once

#include <openssl/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace telltale::proxy {

/// What an authority says of a certificate (RFC 6960), to be stapled to handshakes (RFC 6066 8, RFC 8446 4.4.2.1).
/// Immutable.
struct OcspResponse {
  using Time = std::chrono::system_clock::time_point;

  std::string file;  ///< for what is said of it
  std::string der;
  bool revoked = false;
  Time this_update;
  std::optional<Time> next_update;  ///< nullopt: it says no end

  /// Clients refuse what is too old, or from the future.
  bool in_force(Time now) const { return now >= this_update && (!next_update || now < *next_update); }
};

/// Reads and judges a file in DER: that it is a whole response about `leaf`, with a status that is good or revoked; and
/// if `chain` begins with the issuer, that the issuer vouches for it. Throws std::runtime_error, which names the file.
std::shared_ptr<const OcspResponse> read_ocsp(const std::string& path, X509* leaf, std::span<X509* const> chain);

/// What a response that can be used lets one fear: that the certificate is revoked, that it is too old and is not
/// stapled.
std::vector<std::string> doubts(const OcspResponse& response, OcspResponse::Time now);

}  // namespace telltale::proxy
