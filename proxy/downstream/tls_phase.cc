#include "proxy/downstream/tls_phase.h"

#include "proxy/downstream/linger.h"
#include "proxy/downstream/proxy_headers.h"
#include "proxy/downstream/proxy_phase.h"
#include "proxy/net/tls_error.h"
#include "proxy/tls/server_contexts.h"

#include <boost/asio/error.hpp>
#include <openssl/ssl.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>
#include <string_view>
#include <tuple>
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

Awaitable<error_code> shake_hands(WorkerContext& worker, Stream& stream, EventLoop::Clock::time_point until) {
  for (Readiness turn;;) {
    error_code error;
    if (!worker.handshakes.take(turn)) {
      std::tie(error) = co_await turn.async_wait(as_result);
      if (error) co_return error;
      // Nothing is reckoned for who is gone, or is too late.
      if (stream.descriptor().broken()) co_return boost::asio::error::connection_reset;
      if (worker.loop.now() >= until) co_return boost::asio::error::timed_out;
      stream.descriptor().set_deadline(until);  // one that passed while nobody waited on the descriptor is lost
    }
    error = stream.tls()->handshake();
    if (error != boost::asio::error::would_block) co_return error;
    if (stream.tls()->wants_write()) {
      std::tie(error) = co_await stream.async_writable(as_result);
    } else {
      std::tie(error) = co_await stream.async_readable(as_result);
    }
    if (error) co_return error;
  }
}

/// With what its views look into: what is told of a connection may be asked for when it is gone.
struct OwnedFacts {
  forwarding::TlsFacts facts;
  std::string sni, alpn;
};

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
