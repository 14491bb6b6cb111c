#pragma once

#include "protocol/forwarding/request_facts.h"

#include <cstddef>
#include <string>

namespace telltale::forwarding {

/// A client's certificate longer than this is not told in the PROXY header: receivers bound the whole header (nginx at
/// 4096 octets).
inline constexpr std::size_t max_told_certificate_size = 3072;
/// Nor a common name longer than this: cut, it would be another one. X.520 has 64 characters at most.
inline constexpr std::size_t max_told_name_size = 256;

/// Appends what we saw of the client's TLS as the SSL TLV (PROXY protocol 2.2.6) to a section under construction: the
/// flags, `verify`, and the sub-TLVs of version, CN, cipher, sig_alg, key_alg and the client's certificate (0x28), as
/// far as they are known. `verify` is zero only for a certificate that was shown and verified, as the spec has it;
/// senders that write zero for no certificate at all make receivers that ask for nothing else believe in one.
void append_ssl_tlv(std::string& section, const TlsFacts& tls);

}  // namespace telltale::forwarding
