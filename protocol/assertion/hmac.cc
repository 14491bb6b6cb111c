#include "protocol/assertion/hmac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <stdexcept>

namespace telltale::assertion {

void HmacSha256::Free::operator()(evp_mac_ctx_st* context) const { EVP_MAC_CTX_free(context); }

HmacSha256::HmacSha256(std::span<const std::uint8_t> key) {
  EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr);
  context_.reset(EVP_MAC_CTX_new(hmac));
  EVP_MAC_free(hmac);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  if (context_ == nullptr || EVP_MAC_init(context_.get(), key.data(), key.size(), parameters) != 1) {
    throw std::runtime_error("OpenSSL has no HMAC-SHA256");
  }
}

bool HmacSha256::compute(std::string_view message, Mac& mac) {
  std::size_t size = 0;
  // Without a key: from the state after the key.
  return EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1 &&
         EVP_MAC_update(context_.get(), reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1 &&
         EVP_MAC_final(context_.get(), mac.data(), &size, mac.size()) == 1 && size == mac.size();
}

bool equal_in_constant_time(const Mac& a, const Mac& b) { return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

void wipe(void* octets, std::size_t size) { OPENSSL_cleanse(octets, size); }

}  // namespace telltale::assertion
