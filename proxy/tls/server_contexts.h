#pragma once

#include "conf/model_tls.h"
#include "proxy/net/tls_channel.h"
#include "proxy/tls/certificate.h"
#include "proxy/tls/client_authorities.h"
#include "proxy/tls/ticket_keys.h"

#include <openssl/types.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace telltale::proxy {

/// What one worker terminates TLS of one listener with: an OpenSSL context for each set of certificates, chosen by the
/// name that the client asks for. Each worker has its own, as contexts are counted and locked; certificates and keys
/// are shared. Made by the control thread, then the worker's alone. It must outlive the handshakes that it began.
///
/// TLS 1.2 and 1.3 or 1.3 alone, by policy; no renegotiation, no compression, no early data (a request in it could be
/// played again), no session cache: sessions are in tickets that only we can open.
class ServerContexts {
 public:
  using Certificates = std::vector<std::shared_ptr<const Certificate>>;

  /// `name`: the listener's; a session begun at another one is not resumed, nor one begun with other `authorities`
  /// (null: clients are not asked for a certificate). Throws CertificateError for what OpenSSL refuses.
  ServerContexts(const conf::ListenerTls& conf, std::string_view name, const Certificates& certificates,
                 std::shared_ptr<const ClientAuthorities> authorities, std::shared_ptr<const TicketKeys> ticket_keys);
  ~ServerContexts();
  ServerContexts(const ServerContexts&) = delete;
  ServerContexts& operator=(const ServerContexts&) = delete;

  /// For a connection that was accepted.
  SslHandle accept() const;
  /// From now on.
  void use(std::shared_ptr<const TicketKeys> keys) { ticket_keys_ = std::move(keys); }

 private:
  struct Freer {
    void operator()(SSL_CTX* context) const;
  };
  using Context = std::unique_ptr<SSL_CTX, Freer>;

  Context make_context(const conf::ListenerTls& conf, std::string_view name,
                       std::span<const Certificate* const> certificates);
  void add(const conf::ListenerTls& conf, std::string_view name, const Certificates& certificates);
  SSL_CTX* find(std::string_view host) const;
  static int choose_by_name(SSL* ssl, int* alert, void* self);
  static int choose_protocol(SSL* ssl, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                             unsigned in_size, void* self);
  static int seal_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                         int sealing);
  static int staple(SSL* ssl, void* self);
  static int self_index();

  std::vector<Context> contexts_;  ///< the first one is the default
  std::unordered_map<std::string, SSL_CTX*> by_name_;
  std::string alpn_;  ///< as on the wire
  std::shared_ptr<const ClientAuthorities> authorities_;
  StoreHandle store_;  ///< of `authorities_`
  std::shared_ptr<const TicketKeys> ticket_keys_;
  std::unordered_map<const X509*, std::shared_ptr<const OcspResponse>> staples_;
};

}  // namespace telltale::proxy
