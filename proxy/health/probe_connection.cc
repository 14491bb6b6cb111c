#include "proxy/health/probe_connection.h"

#include "protocol/proxy_protocol/serializer.h"
#include "proxy/health/probe.h"
#include "proxy/net/tls_error.h"

#include <boost/asio/error.hpp>
#include <boost/beast/http/error.hpp>
#include <openssl/ssl.h>

#include <cerrno>
#include <utility>

namespace telltale::proxy {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
constexpr auto would_block = asio::error::would_block;

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  const auto colon = host.find(':');
  return host.find(':', colon + 1) == std::string_view::npos ? host.substr(0, colon) : host;
}

/// Whom the probe is to find there: who is asked for in the request, or else serves.
TlsPeer peer_of(const ProbeTarget& target) {
  const bool by_host = !target.health->host.empty() || target.host_name.empty();
  return tls_peer(target.health->tls, by_host ? without_port(target.host) : std::string_view(target.host_name));
}

const char* to_string(ProbeConnection::Phase phase) {
  switch (phase) {
    case ProbeConnection::Phase::connect:
      return "connecting";
    case ProbeConnection::Phase::handshake:
      return "in the TLS handshake";
    case ProbeConnection::Phase::send:
      return "sending";
    case ProbeConnection::Phase::receive:
      return "waiting for the answer";
  }
  return "";
}

}  // namespace

bool is_own_fault(const error_code& error, bool at_once) {
  if (error.category() != boost::system::system_category()) return false;
  switch (error.value()) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC:  // of epoll's watches
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return true;
    case EACCES:
    case EPERM:
      return at_once;
    default:
      return false;
  }
}

ProbeConnection::ProbeConnection() = default;

ProbeConnection::~ProbeConnection() { close(); }

Awaitable<bool> ProbeConnection::open(const ProbeTarget& target, ProbeTools& tools) {
  close();
  phase_ = Phase::connect;
  asked_ = dialed_ = false;
  SslHandle ssl;
  if (target.health->kind == conf::ProbeKind::https) {
    const auto context = tools.tls.get(target.health->tls);
    if (!context) {
      conclude({ProbeOutcome::not_made, "TLS: " + context.error().message});
      co_return false;
    }
    ssl = (*context)->connect(peer_of(target), ClientContext::Speaks::http1);
    SSL_set_options(ssl.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);  // a probe loses nothing by it
  }
  error_code error = co_await connect(target, tools);
  if (!error && ssl) error = co_await shake_hands(std::move(ssl));
  if (error) conclude_failure(error);
  co_return !error;
}

Awaitable<error_code> ProbeConnection::connect(const ProbeTarget& target, ProbeTools& tools) {
  if (expired_) co_return asio::error::operation_aborted;
  Connecting connecting = start_connect(tools.loop, target.address);
  if (connecting.error) co_return connecting.error;
  dialed_ = true;
  stream_ = std::move(connecting.stream);
  const auto [waited] = co_await stream_.descriptor().output().async_wait(as_result);
  if (waited) co_return waited;
  if (const error_code refused = finish_connect(stream_)) co_return refused;
  const std::string preamble = proxy_preamble(target.health->send_proxy);
  if (preamble.empty()) co_return error_code();
  co_return co_await send(preamble);
}

Awaitable<error_code> ProbeConnection::shake_hands(SslHandle ssl) {
  phase_ = Phase::handshake;
  stream_.start_tls(std::move(ssl));
  for (;;) {
    const error_code error = stream_.tls()->handshake();
    if (error != would_block) co_return error;
    if (const error_code failed = co_await wait(stream_.tls()->wants_write())) co_return failed;
  }
}

/// Until what would have blocked is worth another try.
Awaitable<error_code> ProbeConnection::wait(bool for_output) {
  if (!stream_.is_open()) co_return asio::error::operation_aborted;
  if (for_output) {
    const auto [error] = co_await stream_.async_writable(as_result);
    co_return error;
  }
  const auto [error] = co_await stream_.async_readable(as_result);
  co_return error;
}

Awaitable<error_code> ProbeConnection::send(std::string_view octets) {
  phase_ = Phase::send;
  std::string rest;  // of what would not go at once: the caller's octets may be gone after a wait
  for (;;) {
    const IoResult sent = stream_.write(octets);
    if (sent.error && sent.error != would_block) co_return sent.error;
    octets.remove_prefix(sent.size);
    if (octets.empty()) co_return error_code();
    if (!sent.error) continue;
    if (rest.empty()) octets = rest = octets;
    if (const error_code failed = co_await wait(true)) co_return failed;
  }
}

bool ProbeConnection::ask_again(std::string_view request) {
  if (!print_ || !stream_.is_open() || stream_.tls() || has_news()) return false;
  if (stream_.write(request).size < request.size()) {
    close();
    return false;
  }
  phase_ = Phase::receive;
  asked_ = true;
  return true;
}

Awaitable<ReadResult> ProbeConnection::receive() {
  phase_ = Phase::receive;
  for (;;) {
    const ReadResult got = receive_now();
    if (got.error != would_block) co_return got;
    if (const error_code failed = co_await wait(false)) co_return ReadResult{{}, failed};
  }
}

ReadResult ProbeConnection::receive_now() { return stream_.read(); }

bool ProbeConnection::has_news() const { return stream_.may_have_more(); }

bool ProbeConnection::is_silent() {
  if (!stream_.is_open()) return false;
  // News may be none of ours: TLS sends tickets and new keys on its own account.
  if (!has_news() || receive_now().error == would_block) return true;
  close();
  return false;
}

void ProbeConnection::close() {
  stream_.close();  // whoever waits on it goes on in here, and leaves the rest alone
  session_.reset();
}

void ProbeConnection::expire() {
  expired_ = true;
  close();
}

void ProbeConnection::conclude_failure(const error_code& error) {
  conclude(failure(error));
  close();
}

ProbeResult ProbeConnection::failure(const error_code& error) const {
  ProbeResult result;
  result.outcome = is_own_fault(error, !dialed_) ? ProbeOutcome::not_made : ProbeOutcome::unhealthy;
  const bool ended = error == asio::error::eof;
  if (expired_) {
    result.outcome = ProbeOutcome::unhealthy;
    result.reason = std::string("timed out ") + to_string(phase_);
  } else if (ended && phase_ == Phase::handshake) {
    result.reason = "closed in the TLS handshake";
  } else if (ended) {
    result.reason = "closed without an answer";
  } else if (error == beast::http::error::partial_message) {
    result.reason = "closed before the end of its answer";
  } else if (error.category() == tls_category()) {
    result.reason = "TLS: " + error.message();
  } else if (error.category() == boost::system::system_category()) {
    result.reason = std::string(to_string(phase_)) + ": " + error.message();
  } else {
    result.reason = "not an HTTP answer: " + error.message();
  }
  return result;
}

std::string proxy_preamble(conf::ProxyOnProbe send_proxy) {
  std::string octets;
  if (send_proxy == conf::ProxyOnProbe::off) return octets;
  proxy_protocol::Header header;
  header.version = send_proxy == conf::ProxyOnProbe::v1 ? proxy_protocol::Version::v1 : proxy_protocol::Version::v2;
  header.command = proxy_protocol::Command::local;
  proxy_protocol::serialize(header, octets);
  return octets;
}

}  // namespace telltale::proxy
