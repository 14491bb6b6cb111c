#pragma once

#include "conf/model_tls.h"
#include "proxy/net/tls_channel.h"
#include "proxy/tls/authorities.h"
#include "proxy/tls/tls_peer.h"

#include <openssl/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <unordered_map>

struct ssl_session_st;  // OpenSSL's SSL_SESSION, which its types.h does not have

namespace telltale::proxy {

struct EndpointSet;

/// What one worker speaks TLS to the backends of one service with (or the checker to those of one way to verify): an
/// OpenSSL context, and the sessions that backends gave, by endpoint. Made by the control thread, then the worker's
/// alone. Other settings or files are another context, without sessions: who was believed by the old ones is verified
/// anew. Connections that it made may outlive it.
///
/// TLS 1.2 and 1.3 with what OpenSSL takes by default on this system; no renegotiation, no compression, no early data.
class ClientContext {
 public:
  /// What a connection is for: alpn's default depends on it.
  enum class Speaks : bool { http1, anything };
  /// So long after its full handshake a session is resumed; then the backend is verified again. Less where a
  /// certificate ends before.
  static constexpr std::chrono::hours max_session_age{12};

  /// Throws CertificateError for what OpenSSL refuses. `files`: those of `conf`.
  ClientContext(const conf::BackendTls& conf, const BackendFiles& files);
  ~ClientContext();
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;

  /// For a connection to `peer`. `endpoint`: Endpoint::id, by which sessions are kept; 0: none is.
  SslHandle connect(const TlsPeer& peer, Speaks speaks, std::uint64_t endpoint = 0);
  /// Whether a connection was verified as one of now would be.
  bool has_made(const SSL* ssl) const;
  /// After a handshake that failed: the next one begins from nothing.
  void forget(std::uint64_t endpoint) { sessions_.erase(endpoint); }
  /// Of endpoints that are gone nothing is kept.
  void keep_only(const EndpointSet& set);

 private:
  struct Freer {
    void operator()(SSL_CTX* context) const;
    void operator()(ssl_session_st* session) const;
  };
  struct Session {
    std::unique_ptr<ssl_session_st, Freer> session;
    std::time_t good_until = 0;
  };
  /// Of one endpoint: the newest ones, the newest last. More than a few are of use only when as many connections begin
  /// at once.
  struct Sessions {
    std::string name;  // TlsPeer::name that they were verified by
    std::array<Session, 4> kept;
    std::size_t size = 0;

    void push(Session session);
    /// The newest one that is still good; null: there is none.
    const Session* newest(std::time_t now);
  };

  void load(const BackendFiles& files);
  void set_alpn(const conf::BackendTls& conf);
  void expect(SSL* ssl, const TlsPeer& peer) const;
  void resume(SSL* ssl, const TlsPeer& peer, std::uint64_t endpoint);
  bool keep(SSL* ssl, ssl_session_st* session);
  std::time_t good_until(SSL* ssl) const;
  static int on_session(SSL* ssl, ssl_session_st* session);

  std::unique_ptr<SSL_CTX, Freer> context_;
  conf::TlsVerify verify_;
  bool offers_own_alpn_;
  std::unordered_map<std::uint64_t, Sessions> sessions_;
};

}  // namespace telltale::proxy
