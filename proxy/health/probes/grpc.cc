#include "proxy/health/probes/grpc.h"

#include "proxy/health/grpc_client.h"
#include "proxy/health/grpc_health.h"

#include <boost/asio/error.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <nghttp2/nghttp2.h>
#include <string>
#include <utility>

namespace telltale::proxy {
namespace {

namespace asio = boost::asio;
namespace errc = boost::system::errc;
using boost::system::error_code;

constexpr std::string_view check_path = "/grpc.health.v1.Health/Check";
constexpr std::size_t max_shown = 120;  // of a peer's own words

/// By number (grpc/doc/statuscodes.md).
constexpr std::array<std::string_view, 17> status_names = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};
constexpr unsigned not_found = 5, unimplemented = 12;

ProbeResult unhealthy(std::string reason) { return {ProbeOutcome::unhealthy, std::move(reason)}; }

/// For a log: one line of printable ASCII.
std::string printable(std::string_view text) {
  std::string shown(text.substr(0, max_shown));
  std::replace_if(shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return shown;
}

ProbeResult judge_status(unsigned status, const std::string& message) {
  std::string reason = "answered " + (status < status_names.size() ? std::string(status_names[status])
                                                                   : "grpc-status " + std::to_string(status));
  if (status == unimplemented) return unhealthy(reason + ": there is no grpc.health.v1.Health service");
  if (status == not_found) return unhealthy(reason + ": the health service does not know the service asked for");
  if (!message.empty()) reason += ": " + printable(message);
  return unhealthy(std::move(reason));
}

/// Lets go what client has to send, and feeds it what comes, until its call has ended. protocol_error: not HTTP/2.
Awaitable<error_code> converse(ProbeConnection& connection, GrpcClient& client) {
  for (;;) {
    const std::string_view octets = client.output();
    if (!octets.empty()) {
      if (const error_code error = co_await connection.send(octets)) co_return error;
    }
    if (client.done()) co_return error_code();
    const ReadResult got = co_await connection.receive();
    if (got.error) co_return got.error;
    if (!client.feed(got.octets)) co_return errc::make_error_code(errc::protocol_error);
  }
}

/// The client of a kept connection, if it is good for another call.
GrpcClient* kept_client(ProbeConnection& connection) {
  auto* client = connection.session<GrpcClient>();
  while (client != nullptr && connection.has_news()) {
    const ReadResult got = connection.receive_now();
    if (got.error == asio::error::would_block) break;
    if (got.error || !client->feed(got.octets)) return nullptr;
  }
  return client != nullptr && client->may_call() ? client : nullptr;
}

/// Null: the connection could not be made; why is in connection.result().
Awaitable<GrpcClient*> new_client(const ProbeTarget& target, ProbeConnection& connection, ProbeTools& tools) {
  const bool opened = co_await connection.open(target, tools);
  if (!opened) co_return nullptr;
  auto client = std::make_unique<GrpcClient>();
  GrpcClient* made = client.get();
  connection.set_session(std::move(client));
  co_return made;
}

Awaitable<error_code> ask(const ProbeTarget& target, ProbeConnection& connection, GrpcClient& client) {
  const conf::Health& health = target.health;
  const std::string request = grpc_health_request(health.grpc_service);
  client.call({health.host, check_path, request, health.timeout});
  co_return co_await converse(connection, client);
}

/// Whether a kept connection ended on its own account, not because of this call (RFC 9113 8.7: a refused stream was not
/// looked at).
bool is_stale(const error_code& error, const GrpcClient& client) {
  return !client.any_answer() && (error || client.answer().h2_error == NGHTTP2_REFUSED_STREAM);
}

}  // namespace

ProbeResult judge_grpc(const GrpcAnswer& answer) {
  const std::string http = "answered " + std::to_string(answer.http_status);
  if (answer.http_status == 503) return {ProbeOutcome::draining, http};
  if (answer.http_status != 200 && answer.http_status != 0) return unhealthy(http + ", which is not gRPC");
  if (answer.grpc_status.value_or(0) != 0) return judge_status(*answer.grpc_status, answer.grpc_message);
  if (answer.h2_error != 0) {
    return unhealthy(std::string("reset the stream: ") + nghttp2_http2_strerror(answer.h2_error));
  }
  if (!answer.content_type.starts_with("application/grpc")) return unhealthy(http + ", but not as application/grpc");
  if (!answer.grpc_status) return unhealthy(http + " without a grpc-status");
  const auto status = answer.too_long ? std::nullopt : read_grpc_health_response(answer.octets);
  if (!status) return unhealthy("answered with no HealthCheckResponse");
  switch (*status) {
    case ServingStatus::serving:
      return {ProbeOutcome::healthy, "answered SERVING"};
    case ServingStatus::not_serving:
      return {ProbeOutcome::draining, "answered NOT_SERVING"};
    case ServingStatus::service_unknown:
      return unhealthy("answered SERVICE_UNKNOWN");
    case ServingStatus::unknown:
      break;
  }
  return unhealthy("answered UNKNOWN");
}

Awaitable<void> probe_grpc(const ProbeTarget& target, ProbeConnection& connection, ProbeTools& tools) {
  GrpcClient* client = kept_client(connection);
  const bool reused = client != nullptr;
  if (!reused) client = co_await new_client(target, connection, tools);
  if (client == nullptr) co_return;
  error_code error = co_await ask(target, connection, *client);
  if (connection.expired()) {
    connection.conclude_failure(error);
    co_return;
  }
  if (reused && is_stale(error, *client)) {
    client = co_await new_client(target, connection, tools);
    if (client == nullptr) co_return;
    error = co_await ask(target, connection, *client);
  }
  if (error == errc::protocol_error && !connection.expired()) {
    connection.close();
    connection.conclude(unhealthy("not an answer in HTTP/2"));
  } else if (error || connection.expired()) {
    connection.conclude_failure(error);
  } else {
    ProbeResult result = judge_grpc(client->answer());
    if (!client->may_call()) connection.close();
    connection.conclude(std::move(result));
  }
}

}  // namespace telltale::proxy
