#include "proxy/exchange/upstream_tls.h"

#include "proxy/exchange/shake_hands.h"
#include "proxy/net/tls_error.h"

#include <openssl/ssl.h>

#include <string_view>
#include <utility>

namespace telltale::proxy {
namespace {

using boost::system::error_code;

/// A backend without ALPN (RFC 7301) is taken at its word that it speaks HTTP/1.
bool is_http1(const SSL* ssl) {
  const unsigned char* octets = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &octets, &size);
  const std::string_view chosen(reinterpret_cast<const char*>(octets), size);
  return chosen.empty() || chosen == "http/1.1" || chosen == "http/1.0";
}

}  // namespace

Awaitable<error_code> secure_upstream(Stream& stream, WorkerContext& worker, const LocalService& service,
                                      std::shared_ptr<const Endpoint> endpoint, ClientContext::Speaks speaks,
                                      EventLoop::Clock::time_point until) {
  // Other certificates may come into use meanwhile.
  const std::shared_ptr<ClientContext> context = worker.backend_tls[service.service().index()];
  ServiceMetrics& metrics = service.metrics();
  const TlsPeer peer = tls_peer(*service.conf().tls, endpoint->host_name, endpoint->address);
  stream.start_tls(context->connect(peer, speaks, endpoint->id));
  error_code error = co_await shake_hands(worker, stream, until);
  if (!error && speaks == ClientContext::Speaks::http1 && !is_http1(stream.tls()->ssl())) error = tls_wrong_protocol();
  if (error) {
    context->forget(endpoint->id);
    metrics.tls_failures.add();
    co_return error;
  }
  metrics.tls_handshakes.add();
  if (SSL_session_reused(stream.tls()->ssl()) == 1) metrics.tls_resumed.add();
  co_return error;
}

}  // namespace telltale::proxy
