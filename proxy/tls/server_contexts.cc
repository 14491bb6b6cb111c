#include "proxy/tls/server_contexts.h"

#include "conf/text.h"
#include "proxy/net/tls_error.h"
#include "proxy/tls/key_log.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <map>
#include <new>
#include <utility>

namespace telltale::proxy {
namespace {

// Mozilla, Server Side TLS 5.7, without its DHE suites: they cost a server most and their only clients are gone.
constexpr const char* groups = "X25519:P-256:P-384";
constexpr const char* suites_of_tls13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* suites_of_tls12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/// As long as the oldest key opens tickets.
constexpr long session_seconds = std::chrono::seconds(TicketKeys::rotation * (TicketKeys::max_keys - 1)).count();

using Chosen = std::map<int, const Certificate*>;  // by type of key: OpenSSL has a place for one of each

}  // namespace

void ServerContexts::Freer::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }

ServerContexts::ServerContexts(const conf::ListenerTls& conf, std::string_view name, const Certificates& certificates,
                               std::shared_ptr<const ClientAuthorities> authorities,
                               std::shared_ptr<const TicketKeys> ticket_keys)
    : authorities_(std::move(authorities)), ticket_keys_(std::move(ticket_keys)) {
  if (authorities_) store_ = make_store(*authorities_);
  for (const std::string& protocol : conf.alpn) alpn_.append(1, static_cast<char>(protocol.size())).append(protocol);
  add(conf, name, certificates);
}

ServerContexts::~ServerContexts() = default;

/// One context for each set of certificates that stand for a name together.
void ServerContexts::add(const conf::ListenerTls& conf, std::string_view name, const Certificates& certificates) {
  std::unordered_map<std::string, Chosen> by_name;
  for (const auto& certificate : certificates) {
    for (const std::string& host : certificate->names) {
      by_name[host].try_emplace(certificate->key_type, certificate.get());
    }
  }
  std::map<Chosen, SSL_CTX*> made;
  const auto context_of = [&](const Chosen& chosen) {
    SSL_CTX*& context = made[chosen];
    if (context != nullptr) return context;
    std::vector<const Certificate*> list;
    for (const auto& [type, certificate] : chosen) list.push_back(certificate);
    contexts_.push_back(make_context(conf, name, list));
    return context = contexts_.back().get();
  };
  // The default: the first one, with those of other keys for all of its names.
  Chosen first = {{certificates.front()->key_type, certificates.front().get()}};
  if (!certificates.front()->names.empty()) first = by_name[certificates.front()->names.front()];
  first[certificates.front()->key_type] = certificates.front().get();
  context_of(first);
  for (const auto& [host, chosen] : by_name) by_name_.emplace(host, context_of(chosen));
}

ServerContexts::Context ServerContexts::make_context(const conf::ListenerTls& conf, std::string_view name,
                                                     std::span<const Certificate* const> certificates) {
  ERR_clear_error();
  Context made(SSL_CTX_new(TLS_server_method()));
  if (!made) throw std::bad_alloc();
  SSL_CTX* context = made.get();
  SSL_CTX_set_min_proto_version(context, conf.policy == conf::TlsPolicy::modern ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context, suites_of_tls12);
  SSL_CTX_set_ciphersuites(context, suites_of_tls13);
  SSL_CTX_ctrl(context, SSL_CTRL_SET_GROUPS_LIST, 0, const_cast<char*>(groups));
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA);
  // One receive for a record; and no buffer while nothing comes.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(context, session_seconds);
  SSL_CTX_set_max_early_data(context, 0);
  const std::string whose = authorities_ ? std::string(name) + '\0' + authorities_->digest : std::string(name);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> id{};
  SHA256(reinterpret_cast<const unsigned char*>(whose.data()), whose.size(), id.data());
  SSL_CTX_set_session_id_context(context, id.data(), id.size());
  if (authorities_) ask_for_certificates(context, store_.get(), *authorities_);

  SSL_CTX_set_ex_data(context, self_index(), this);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, seal_ticket);
  SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, reinterpret_cast<void (*)()>(choose_by_name));
  SSL_CTX_ctrl(context, SSL_CTRL_SET_TLSEXT_SERVERNAME_ARG, 0, this);
  if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(context, choose_protocol, this);
  SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB, reinterpret_cast<void (*)()>(staple));
  SSL_CTX_ctrl(context, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB_ARG, 0, this);
  log_keys_of(context);

  for (const Certificate* each : certificates) {
    const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> chain(sk_X509_new_null(),
                                                                           [](auto* list) { sk_X509_free(list); });
    for (const auto& next : each->chain) sk_X509_push(chain.get(), next.get());
    if (SSL_CTX_use_cert_and_key(context, each->leaf.get(), each->key.get(), chain.get(), 1) != 1) {
      throw CertificateError(each->file + ": " + take_tls_message(), false);
    }
    if (each->ocsp) staples_[each->leaf.get()] = each->ocsp;
  }
  return made;
}

SslHandle ServerContexts::accept() const {
  SslHandle ssl(SSL_new(contexts_.front().get()));
  if (!ssl) throw std::bad_alloc();
  SSL_set_accept_state(ssl.get());
  return ssl;
}

SSL_CTX* ServerContexts::find(std::string_view host) const {
  std::string name = conf::to_lower(host);
  if (name.ends_with('.')) name.pop_back();
  if (const auto exact = by_name_.find(name); exact != by_name_.end()) return exact->second;
  const auto dot = name.find('.');
  if (dot == std::string::npos) return nullptr;
  const auto wildcard = by_name_.find("*" + name.substr(dot));  // RFC 6125 6.4.3: for one label
  return wildcard == by_name_.end() ? nullptr : wildcard->second;
}

/// A name that no certificate has gets the default: whether to go on with it is the client's to decide.
int ServerContexts::choose_by_name(SSL* ssl, int*, void* self) {
  const char* host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (host == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_CTX* context = static_cast<const ServerContexts*>(self)->find(host);
  if (context == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_SSL_CTX(ssl, context);
  return SSL_TLSEXT_ERR_OK;
}

/// RFC 7301 3.2: ours in their order of preference; a client that offers none of them is refused.
int ServerContexts::choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                                    unsigned in_size, void* self) {
  const std::string& ours = static_cast<const ServerContexts*>(self)->alpn_;
  unsigned char* chosen = nullptr;
  const int done = SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                                         static_cast<unsigned>(ours.size()), in, in_size);
  if (done != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

/// 0: no key for it: a full handshake. 1: fine. 2: fine, and the client is to get a new one.
int ServerContexts::seal_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                                EVP_MAC_CTX* mac, int sealing) {
  const auto* self = static_cast<const ServerContexts*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), self_index()));
  const TicketKeys& keys = *self->ticket_keys_;
  const TicketKeys::Key* key = sealing == 1 ? &keys.sealing() : keys.find(name);
  if (key == nullptr) return 0;
  if (sealing == 1) {
    std::ranges::copy(key->name, name);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
  }
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_octet_string(
                                 OSSL_MAC_PARAM_KEY, const_cast<std::uint8_t*>(key->hmac.data()), key->hmac.size()),
                             OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>("SHA256"), 0),
                             OSSL_PARAM_construct_end()};
  if (EVP_MAC_CTX_set_params(mac, parameters) != 1) return -1;
  const int begun = sealing == 1 ? EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->aes.data(), iv)
                                 : EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->aes.data(), iv);
  if (begun != 1) return -1;
  if (sealing == 1) return 1;
  // A ticket of TLS 1.3 is for one use (RFC 8446 C.4): without a new one every other connection would shake hands in
  // full.
  return key == &keys.sealing() && SSL_version(ssl) != TLS1_3_VERSION ? 1 : 2;
}

/// Only a client that asks gets here, when its certificate has been chosen. RFC 6066 8, RFC 8446 4.4.2.1.
int ServerContexts::staple(SSL* ssl, void* self) {
  const auto& staples = static_cast<const ServerContexts*>(self)->staples_;
  const auto found = staples.find(SSL_get_certificate(ssl));
  if (found == staples.end()) return SSL_TLSEXT_ERR_NOACK;
  const OcspResponse& response = *found->second;
  if (!response.in_force(std::chrono::system_clock::now())) return SSL_TLSEXT_ERR_NOACK;
  // It is OpenSSL's from here on.
  void* der = CRYPTO_memdup(response.der.data(), response.der.size(), __FILE__, __LINE__);
  if (der == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP, static_cast<long>(response.der.size()), der);
  return SSL_TLSEXT_ERR_OK;
}

int ServerContexts::self_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

}  // namespace telltale::proxy
