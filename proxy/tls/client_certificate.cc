#include "proxy/tls/client_certificate.h"

#include "protocol/net/ip_address.h"
#include "proxy/tls/pem_file.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace telltale::proxy {
namespace {

struct NamesFreer {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
struct BignumFreer {
  void operator()(BIGNUM* number) const { BN_free(number); }
};
struct TextFreer {
  void operator()(void* text) const { OPENSSL_free(text); }
};

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string_view octets_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

void append_hex(std::string& out, std::span<const std::uint8_t> octets, std::string_view digits) {
  for (const std::uint8_t octet : octets) {
    out += digits[octet >> 4];
    out += digits[octet & 0xf];
  }
}

/// No such name has a blank, so that a list of them with blanks between is not to be misread: a name that says
/// `a, DNS:b` would be two (CVE-2021-44532).
void append_escaped(std::string& out, std::string_view octets) {
  for (const char c : octets) {
    if (c > 0x20 && c < 0x7f && c != '\\') {
      out += c;
    } else {
      out += '\\';
      append_hex(out, std::array{static_cast<std::uint8_t>(c)}, "0123456789ABCDEF");
    }
  }
}

/// Empty: of a kind that is not told.
std::string san_text(const GENERAL_NAME* name) {
  std::string text;
  switch (name->type) {
    case GEN_DNS:
      append_escaped(text = "DNS:", octets_of(name->d.dNSName));
      return text;
    case GEN_URI:
      append_escaped(text = "URI:", octets_of(name->d.uniformResourceIdentifier));
      return text;
    case GEN_EMAIL:
      append_escaped(text = "email:", octets_of(name->d.rfc822Name));
      return text;
    case GEN_IPADD: {
      const std::string_view octets = octets_of(name->d.iPAddress);
      const auto* data = reinterpret_cast<const std::uint8_t*>(octets.data());
      if (octets.size() == 4) return "IP:" + net::IpAddress::v4(std::span<const std::uint8_t, 4>(data, 4)).to_string();
      if (octets.size() == 16)
        return "IP:" + net::IpAddress::v6(std::span<const std::uint8_t, 16>(data, 16)).to_string();
      return {};
    }
    default:
      return {};
  }
}

std::vector<std::string> sans_of(const X509* certificate) {
  std::vector<std::string> all;
  const std::unique_ptr<GENERAL_NAMES, NamesFreer> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
  for (int i = 0; i < count; ++i) {
    std::string text = san_text(sk_GENERAL_NAME_value(names.get(), i));
    if (!text.empty()) all.push_back(std::move(text));
  }
  return all;
}

/// The first one, as HAProxy has it.
std::string common_name_of(const X509_NAME* subject) {
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  const std::unique_ptr<unsigned char, TextFreer> owned(text);
  if (size <= 0) return {};
  std::string name(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
  return std::ranges::any_of(name, is_control) ? std::string() : name;
}

std::string serial_of(const X509* certificate) {
  const std::unique_ptr<BIGNUM, BignumFreer> number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  const std::unique_ptr<char, TextFreer> text(number ? BN_bn2hex(number.get()) : nullptr);
  return text ? std::string(text.get()) : std::string();
}

std::string der_of(const X509* certificate) {
  std::string der(static_cast<std::size_t>(std::max(0, i2d_X509(certificate, nullptr))), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  if (!der.empty()) i2d_X509(certificate, &out);
  return der;
}

}  // namespace

std::string name_text(const X509_NAME* name) {
  const BioHandle memory(BIO_new(BIO_s_mem()));
  if (!memory || X509_NAME_print_ex(memory.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

forwarding::ClientCertificate describe_certificate(const X509* certificate) {
  forwarding::ClientCertificate out;
  const X509_NAME* subject = X509_get_subject_name(certificate);
  out.subject = name_text(subject);
  out.issuer = name_text(X509_get_issuer_name(certificate));
  out.common_name = common_name_of(subject);
  out.serial = serial_of(certificate);
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  X509_digest(certificate, EVP_sha256(), digest.data(), &size);
  append_hex(out.fingerprint, std::span(digest).first(size), "0123456789abcdef");
  out.sans = sans_of(certificate);
  out.der = der_of(certificate);
  ERR_clear_error();
  return out;
}

}  // namespace telltale::proxy
