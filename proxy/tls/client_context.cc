#include "proxy/tls/client_context.h"

#include "proxy/net/tls_error.h"
#include "proxy/tls/key_log.h"
#include "proxy/tls/pem_file.h"
#include "proxy/upstream/endpoint.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <new>
#include <unordered_set>
#include <utility>

namespace telltale::proxy {
namespace {

constexpr unsigned char http1[] = "\x08http/1.1";

/// Of an SSL_CTX: its ClientContext, null once that is gone.
int context_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}
/// Of an SSL: Endpoint::id, and until when the session is good that it offered. Numbers, where OpenSSL has room for
/// pointers: connections may outlive what those would point at.
int endpoint_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}
int good_until_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}
std::uintptr_t number(const SSL* ssl, int index) {
  return reinterpret_cast<std::uintptr_t>(SSL_get_ex_data(ssl, index));
}
void set_number(SSL* ssl, int index, std::uintptr_t value) {
  if (SSL_set_ex_data(ssl, index, reinterpret_cast<void*>(value)) != 1) {  // NOLINT(performance-no-int-to-ptr)
    throw std::bad_alloc();
  }
}

void need(int done) {
  if (done != 1) throw std::bad_alloc();
}

}  // namespace

void ClientContext::Freer::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
void ClientContext::Freer::operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }

ClientContext::ClientContext(const conf::BackendTls& conf, const BackendFiles& files)
    : context_(SSL_CTX_new(TLS_client_method())), verify_(conf.verify), offers_own_alpn_(!conf.alpn.empty()) {
  SSL_CTX* context = context_.get();
  if (context == nullptr) throw std::bad_alloc();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // One receive for a record; and no buffer while nothing comes.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, on_session);
  need(SSL_CTX_set_ex_data(context, context_index(), this));
  set_alpn(conf);
  log_keys_of(context);
  load(files);
}

ClientContext::~ClientContext() { SSL_CTX_set_ex_data(context_.get(), context_index(), nullptr); }

void ClientContext::set_alpn(const conf::BackendTls& conf) {
  std::string wire;
  for (const std::string& protocol : conf.alpn) wire.append(1, static_cast<char>(protocol.size())).append(protocol);
  if (wire.empty()) return;
  const auto* octets = reinterpret_cast<const unsigned char*>(wire.data());
  need(SSL_CTX_set_alpn_protos(context_.get(), octets, static_cast<unsigned>(wire.size())) == 0);  // 0: it is set
}

void ClientContext::load(const BackendFiles& files) {
  SSL_CTX* context = context_.get();
  if (files.certificate) {
    const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> chain(sk_X509_new_null(),
                                                                           [](auto* list) { sk_X509_free(list); });
    for (const auto& next : files.certificate->chain) sk_X509_push(chain.get(), next.get());
    ERR_clear_error();
    const Certificate& own = *files.certificate;
    if (SSL_CTX_use_cert_and_key(context, own.leaf.get(), own.key.get(), chain.get(), 1) != 1) {
      throw CertificateError(own.file + ": " + take_tls_message(), false);
    }
  }
  if (verify_ == conf::TlsVerify::none) return;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (files.authorities.empty()) {
    need(SSL_CTX_set_default_verify_paths(context));
    return;
  }
  // Whoever is in the file is believed, a root or not.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const auto& authority : files.authorities) need(X509_STORE_add_cert(store, authority.get()));
}

SslHandle ClientContext::connect(const TlsPeer& peer, Speaks speaks, std::uint64_t endpoint) {
  SslHandle ssl(SSL_new(context_.get()));
  if (!ssl) throw std::bad_alloc();
  SSL_set_connect_state(ssl.get());
  expect(ssl.get(), peer);
  if (speaks == Speaks::http1 && !offers_own_alpn_) {
    need(SSL_set_alpn_protos(ssl.get(), http1, sizeof http1 - 1) == 0);
  }
  if (endpoint != 0) resume(ssl.get(), peer, endpoint);
  return ssl;
}

void ClientContext::expect(SSL* ssl, const TlsPeer& peer) const {
  if (!peer.name.empty()) {
    std::string sni = peer.name;  // SSL_set_tlsext_host_name() by what it is: the macro casts as C does
    need(static_cast<int>(SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, sni.data())));
  }
  if (verify_ != conf::TlsVerify::full) return;
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (peer.address) {
    const auto octets = peer.address->octets();
    need(X509_VERIFY_PARAM_set1_ip(expected, octets.data(), octets.size()));
  } else {
    need(X509_VERIFY_PARAM_set1_host(expected, peer.name.data(), peer.name.size()));
  }
}

void ClientContext::resume(SSL* ssl, const TlsPeer& peer, std::uint64_t endpoint) {
  set_number(ssl, endpoint_index(), endpoint);
  Sessions& sessions = sessions_[endpoint];
  if (sessions.name != peer.name) {
    sessions = {};
    sessions.name = peer.name;
  }
  const Session* newest = sessions.newest(std::time(nullptr));
  if (newest == nullptr) return;
  SSL_set_session(ssl, newest->session.get());
  set_number(ssl, good_until_index(), static_cast<std::uintptr_t>(newest->good_until));
  // RFC 8446 C.4: a ticket that is used once does not tell that two connections are of the same client.
  if (SSL_SESSION_get_protocol_version(newest->session.get()) >= TLS1_3_VERSION) sessions.kept[--sessions.size] = {};
}

void ClientContext::Sessions::push(Session session) {
  if (size == kept.size()) {
    std::ranges::rotate(kept, kept.begin() + 1);
    --size;
  }
  kept[size++] = std::move(session);
}

const ClientContext::Session* ClientContext::Sessions::newest(std::time_t now) {
  while (size > 0 && kept[size - 1].good_until <= now) kept[--size] = {};
  return size > 0 ? &kept[size - 1] : nullptr;
}

/// True: the session is ours now.
bool ClientContext::keep(SSL* ssl, SSL_SESSION* session) {
  const auto found = sessions_.find(number(ssl, endpoint_index()));
  if (found == sessions_.end()) return false;
  const char* asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (found->second.name != (asked != nullptr ? asked : "")) return false;
  found->second.push({std::unique_ptr<SSL_SESSION, Freer>(session), good_until(ssl)});
  return true;
}

/// What comes of a connection that was resumed is good for as long as the session that it was resumed by.
std::time_t ClientContext::good_until(SSL* ssl) const {
  if (SSL_session_reused(ssl) == 1) return static_cast<std::time_t>(number(ssl, good_until_index()));
  std::time_t end = std::time(nullptr) + std::chrono::seconds(max_session_age).count();
  if (verify_ == conf::TlsVerify::none) return end;
  const STACK_OF(X509)* chain = SSL_get0_verified_chain(ssl);
  if (chain == nullptr) return 0;
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    end = std::min(end, std::chrono::system_clock::to_time_t(time_of(X509_get0_notAfter(sk_X509_value(chain, i)))));
  }
  return end;
}

int ClientContext::on_session(SSL* ssl, SSL_SESSION* session) {
  auto* self = static_cast<ClientContext*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index()));
  return self != nullptr && self->keep(ssl, session) ? 1 : 0;
}

bool ClientContext::has_made(const SSL* ssl) const { return SSL_get_SSL_CTX(ssl) == context_.get(); }

void ClientContext::keep_only(const EndpointSet& set) {
  if (sessions_.empty()) return;
  std::unordered_set<std::uint64_t> ids;
  for (const auto& endpoint : set.endpoints) ids.insert(endpoint->id);
  std::erase_if(sessions_, [&ids](const auto& each) { return !ids.contains(each.first); });
}

}  // namespace telltale::proxy
