#include "proxy/downstream/tls_phase.h"

#include "proxy/downstream/linger.h"
#include "proxy/downstream/proxy_headers.h"
#include "proxy/downstream/proxy_phase.h"
#include "proxy/exchange/shake_hands.h"
#include "proxy/net/tls_error.h"
#include "proxy/tls/client_certificate.h"
#include "proxy/tls/server_contexts.h"

#include <boost/asio/error.hpp>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <spdlog/spdlog.h>

#include <array>
#include <charconv>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace telltale::proxy {
namespace {

using boost::system::error_code;

constexpr std::string_view plain_http_answer =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 38\r\n"
    "Connection: close\r\n\r\nThis port speaks TLS: try https://…\n";

/// A ClientHello begins with 0x16 (RFC 8446 5.1), a request line with a token (RFC 9112 3).
bool is_plain_http(std::string_view octets) {
  return !octets.empty() && ((octets[0] >= 'A' && octets[0] <= 'Z') || (octets[0] >= 'a' && octets[0] <= 'z'));
}

/// The first octets, which are put back; empty: the connection ended, or nothing came in time.
Awaitable<std::string_view> peek(Stream& stream) {
  for (;;) {
    const ReadResult got = stream.read();
    if (!got.error) {
      stream.unread(got.octets);
      co_return got.octets;
    }
    if (got.error != boost::asio::error::would_block) co_return std::string_view();
    const auto [error] = co_await stream.async_readable(as_result);
    if (error) co_return std::string_view();
  }
}

/// With what its views look into: what is told of a connection may be asked for when it is gone.
struct OwnedFacts {
  forwarding::TlsFacts facts;
  std::string sni, alpn;
  std::array<char, 16> key_algorithm{};
  std::unique_ptr<const forwarding::ClientCertificate> client_cert;  ///< null: none was proved, as of most
};

/// What HAProxy calls it: `RSA2048`, `EC256`.
std::string_view write_key_algorithm(const X509* certificate, std::span<char> out) {
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  if (key == nullptr) return {};
  const int type = EVP_PKEY_get_base_id(key);
  const std::string_view name = type == EVP_PKEY_RSA ? "RSA" : type == EVP_PKEY_EC ? "EC" : "ED";
  const std::size_t size = name.copy(out.data(), out.size());
  const int number = type == EVP_PKEY_ED25519 ? 25519 : EVP_PKEY_get_bits(key);
  const char* end = std::to_chars(out.data() + size, out.data() + out.size(), number).ptr;
  return {out.data(), static_cast<std::size_t>(end - out.data())};
}

void describe_certificates(const SSL* ssl, OwnedFacts& owned) {
  if (const X509* ours = SSL_get_certificate(ssl)) {
    owned.facts.key_algorithm = write_key_algorithm(ours, owned.key_algorithm);
    owned.facts.signature_algorithm = OBJ_nid2sn(X509_get_signature_nid(ours));  // static
  }
  const X509* clients = SSL_get0_peer_certificate(ssl);
  if (clients == nullptr || SSL_get_verify_result(ssl) != X509_V_OK) return;
  owned.client_cert = std::make_unique<forwarding::ClientCertificate>(describe_certificate(clients));
  owned.facts.client_cert = owned.client_cert.get();
}

std::shared_ptr<const forwarding::TlsFacts> describe(const SSL* ssl) {
  auto owned = std::make_shared<OwnedFacts>();
  if (const char* sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) owned->sni = sni;
  const unsigned char* alpn = nullptr;
  unsigned alpn_size = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &alpn_size);
  owned->alpn.assign(reinterpret_cast<const char*>(alpn), alpn_size);
  owned->facts.sni = owned->sni;
  owned->facts.alpn = owned->alpn;
  owned->facts.version = SSL_get_version(ssl);  // static
  owned->facts.cipher = SSL_get_cipher_name(ssl);
  owned->facts.resumed = SSL_session_reused(ssl) == 1;
  describe_certificates(ssl, *owned);
  const auto* facts = &owned->facts;
  return {std::move(owned), facts};
}

/// At level debug: scanners, and clients that do not like the certificate, come by the thousand.
void report(const ConnectionContext& context, const error_code& error) {
  context.metrics->tls_failures.add();
  spdlog::debug("listener {}: TLS handshake with {} failed: {}", context.listener->name,
                context.peer.socket_peer ? context.peer.socket_peer->to_string() : "unix", error.message());
}

Awaitable<> answer_plain_http(Stream& stream) {
  std::string_view rest = plain_http_answer;
  while (!rest.empty()) {
    const IoResult sent = stream.write(rest);
    rest.remove_prefix(sent.size);
    if (!sent.error) continue;
    if (sent.error != boost::asio::error::would_block) co_return;
    const auto [error] = co_await stream.async_writable(as_result);
    if (error) co_return;
  }
  co_await linger(stream);
}

}  // namespace

Awaitable<bool> accept_tls(Connection& connection) {
  Stream& stream = connection.stream();
  ConnectionContext& context = connection.context();
  const conf::ListenerTls& conf = *context.listener->tls;
  auto until = connection.worker().loop.now() + conf.handshake_timeout;
  stream.descriptor().set_deadline(until);
  std::string_view first = co_await peek(stream);
  if (starts_like_proxy_header(first)) {
    const bool go_on = co_await refuse_proxy_header(connection);
    if (!go_on) co_return false;
    until = connection.worker().loop.now() + conf.handshake_timeout;
    stream.descriptor().set_deadline(until);
    first = co_await peek(stream);
  }
  if (first.empty()) {
    context.metrics->tls_failures.add();
    co_return false;
  }
  if (is_plain_http(first)) {
    context.metrics->tls_failures.add();
    co_await answer_plain_http(stream);
    co_return false;
  }
  const std::shared_ptr<ServerContexts> contexts = connection.worker().tls[context.listener_index];
  stream.start_tls(contexts->accept());
  const error_code error = co_await shake_hands(connection.worker(), stream, until);
  if (error) {
    report(context, error);
    co_return false;
  }
  context.metrics->tls_handshakes.add();
  if (SSL_session_reused(stream.tls()->ssl()) == 1) context.metrics->tls_resumed.add();
  context.tls = describe(stream.tls()->ssl());
  co_return true;
}

}  // namespace telltale::proxy
