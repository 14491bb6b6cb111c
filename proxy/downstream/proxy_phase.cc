#include "proxy/downstream/proxy_phase.h"

#include "protocol/forwarding/asserted_client.h"
#include "proxy/downstream/diagnosis.h"
#include "proxy/downstream/proxy_headers.h"
#include "proxy/observe/timestamp.h"

#include <boost/asio/error.hpp>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>

namespace telltale::proxy {
namespace {

using Status = ProxyHeaders::Status;

void record_for_explain(WorkerContext& worker, const ConnectionContext& context, const ProxyProblem& problem) {
  if (worker.recorder == nullptr) return;
  RecordedRequest& record = worker.recorder->next();
  record.kind = RecordedRequest::Kind::closed;
  record.time = std::chrono::system_clock::now();
  record.snapshot = context.snapshot;
  record.listener_index = context.listener_index;
  record.take_peer(context.peer);
  record.cause = problem.cause;
  record.failure.error = problem.error;
}

/// Counts a failure by its cause, and tells it: one line for each listener, cause and interval. Bare probes are no
/// news.
void report(Connection& connection, const ProxyProblem& problem, const conf::ProxyProtocolRule& rule) {
  const auto& context = connection.context();
  context.metrics->count(problem.cause, problem.error);
  if (problem.cause == ProxyFailure::bare_probe) return;
  WorkerContext& worker = connection.worker();
  record_for_explain(worker, context, problem);
  const auto cause = static_cast<std::size_t>(problem.cause);
  const auto held_back = worker.proxy_failure_rates[context.listener_index][cause].admit(worker.loop.now());
  if (!held_back) return;
  spdlog::warn("listener {}: connection from {} closed: {}{}", context.listener->name,
               context.peer.socket_peer ? context.peer.socket_peer->to_string() : "unix",
               explain_proxy_problem(problem, context.listener->client_ip, rule, context.peer),
               and_held_back(*held_back));
}

void give_back(Stream& stream, const ProxyHeaders& headers, std::string_view octets) {
  if (headers.buffered().empty()) {
    stream.unread(octets.substr(headers.consumed()));
  } else {
    stream.unread(std::string(headers.buffered()).append(octets));
  }
}

/// Reads until the verdict is there. Octets that are no header's are put back. False: close.
Awaitable<bool> read_headers(Connection& connection, const conf::ProxyProtocolRule& rule) {
  auto& context = connection.context();
  Stream& stream = connection.stream();
  stream.expires_after(context.listener->client_ip.proxy_header_timeout);
  // Not in an idle connection's frame.
  const auto headers = std::make_unique<ProxyHeaders>(context.listener->client_ip, rule, context.peer);
  Status status = Status::need_more;
  while (status == Status::need_more) {
    const ReadResult got = stream.read();
    if (got.error == boost::asio::error::would_block) {
      const auto [error] = co_await stream.async_readable(as_result);
      if (!error) continue;
      if (error == boost::asio::error::operation_aborted) co_return false;  // we are ending: the peer did nothing wrong
      status = headers->end(error == boost::asio::error::timed_out);
    } else if (got.error) {
      status = headers->end(false);
    } else {
      status = headers->feed(got.octets);
    }
    if (status == Status::done) give_back(stream, *headers, got.octets);
  }
  if (status == Status::failed) report(connection, headers->problem(), rule);
  const auto& assertion = context.listener->client_ip.assertion;
  if (assertion && assertion->tlv != 0) forwarding::date_assertion(context.peer, assertion->tlv, unix_seconds());
  co_return status == Status::done;
}

}  // namespace

Awaitable<bool> read_proxy_headers(Connection& connection, const conf::ProxyProtocolRule& rule) {
  return read_headers(connection, rule);
}

Awaitable<bool> refuse_proxy_header(Connection& connection) {
  const auto& context = connection.context();
  const auto& rule = proxy_rule_for(context.listener->client_ip, context.peer.socket_peer);
  return read_headers(connection, rule.policy == conf::ProxyPolicy::forbid ? rule : forbidding_proxy_rule());
}

}  // namespace telltale::proxy
