#include "protocol/forwarding/ssl_tlv.h"

#include "protocol/proxy_protocol/serializer.h"
#include "protocol/proxy_protocol/tlv.h"

#include <cstdint>
#include <string_view>

namespace telltale::forwarding {
namespace {

using proxy_protocol::SslSubtype;
using proxy_protocol::TlvRange;

constexpr char not_verified = 1;

char flags_of(const TlsFacts& tls) {
  unsigned flags = proxy_protocol::ssl_client_flag;
  if (tls.client_cert != nullptr) flags |= proxy_protocol::ssl_cert_sess_flag;
  if (tls.client_cert != nullptr && !tls.resumed) flags |= proxy_protocol::ssl_cert_conn_flag;
  return static_cast<char>(flags);
}

void add(std::string& section, SslSubtype type, std::string_view value) {
  if (value.empty()) return;
  proxy_protocol::append_tlv(section, proxy_protocol::TlvType{static_cast<std::uint8_t>(type)}, value);
}

}  // namespace

void append_ssl_tlv(std::string& section, const TlsFacts& tls) {
  const std::size_t begin = section.size();
  const ClientCertificate* certificate = tls.client_cert;
  const char verify = certificate != nullptr ? 0 : not_verified;
  const char head[] = {static_cast<char>(proxy_protocol::TlvType::ssl), 0, 0, flags_of(tls), 0, 0, 0, verify};
  static_assert(sizeof head == TlvRange::head_size + proxy_protocol::ssl_head_size);
  section.append(head, sizeof head);
  add(section, SslSubtype::version, tls.version);
  if (certificate != nullptr && certificate->common_name.size() <= max_told_name_size) {
    add(section, SslSubtype::cn, certificate->common_name);
  }
  add(section, SslSubtype::cipher, tls.cipher);
  add(section, SslSubtype::sig_alg, tls.signature_algorithm);
  add(section, SslSubtype::key_alg, tls.key_algorithm);
  if (certificate != nullptr && certificate->der.size() <= max_told_certificate_size) {
    add(section, SslSubtype::client_cert, certificate->der);
  }
  // The parts are bounded: their sum fits 16 bits.
  const std::size_t size = section.size() - begin - TlvRange::head_size;
  section[begin + 1] = static_cast<char>(size >> 8);
  section[begin + 2] = static_cast<char>(size);
}

}  // namespace telltale::forwarding
