// How a try ends: what is told of its endpoint, what becomes of its connection, and whether there is another try.
#include "proxy/exchange/exchange.h"
#include "proxy/net/tls_error.h"
#include "proxy/tls/client_context.h"

#include <boost/asio/error.hpp>
#include <spdlog/spdlog.h>

#include <span>
#include <string>
#include <utility>

namespace telltale::proxy {

using boost::system::error_code;

/// The first cause stands.
void Exchange::fail(Side side, Phase phase, error_code error, Reason reason) {
  if (failure_) return;
  if (error == boost::asio::error::timed_out) {
    // Both sides of a tunnel have the same deadline: which of them tells first says nothing.
    if (tunnel_) {
      failure_ = {error, Side::upstream, Phase::response_body, Reason::idle_timeout};
      return;
    }
    if (reason == Reason::none && is_total_over()) reason = Reason::total_timeout;
  }
  failure_ = {error, side, phase, reason};
}

void Exchange::request_failed(Phase phase, error_code error) { fail(Side::downstream, phase, error); }

void Exchange::client_failed(Phase phase, error_code error) { fail(Side::downstream, phase, error); }

void Exchange::upstream_failed(Phase phase, error_code error) {
  if (failure_) return;
  if (client_->broken() && error == boost::asio::error::connection_reset) {
    client_failed(Phase::response_write, error);
    return;
  }
  fail(Side::upstream, phase, error);
  client_delayed_ |= is_clients_turn();
  if (phase == Phase::connect || phase == Phase::handshake) {
    metrics_->connect_failures.add();
    return;
  }
  if (error == boost::asio::error::timed_out) {
    const bool of_try = retries_->per_try_timeout.count() > 0 && retries_->per_try_timeout < timeouts_->response;
    if (of_try && reason_of(failure_) == Reason::response_timeout) failure_.reason = Reason::per_try_timeout;
    return;
  }
  // A pooled connection that its backend closed just now: nothing was answered, and asking again does no harm.
  const auto& request = client_->request();
  retry_stale_ = upstream_.connection().reused && !upstream_.received_any() &&
                 request.body.kind == http1::Framing::none && is_idempotent(request.method);
}

/// After a try: is there another one? Only before anything reached the client.
bool Exchange::may_retry() {
  if (!failure_ || status_ != 0 || client_->broken()) return false;
  if (std::exchange(retry_granted_, false)) return true;
  if (retry_stale_) {
    metrics_->retries.add();
    return true;
  }
  return grant_retry(end_of_try(failure_, upstream_.received_any()));
}

bool Exchange::grant_retry(TryEnd end) {
  if (retry_count_ == tried_.size() || endpoint_ == nullptr) return false;
  tried_[retry_count_] = endpoint_->endpoint->index;
  const auto tried = std::span(tried_).first(retry_count_ + 1);
  const Attempt attempt{.end = end,
                        .replayable = is_replayable(),
                        .answered = interim_heads_ > 0,
                        .other_endpoint = end != TryEnd::connect_failure || service_->has_other(traffic(), tried),
                        .retries = retry_count_};
  if (!proxy::may_retry(*retries_, attempt)) return false;
  const auto sent = end == TryEnd::connect_failure ? LocalService::Sent::nothing : LocalService::Sent::something;
  const RetryRefusal refusal = service_->admit_retry(retry_permit_, *retries_, sent);
  if (refusal != RetryRefusal::none) {
    metrics_->retries_refused[static_cast<std::size_t>(refusal)].add();
    return false;
  }
  ++retry_count_;
  metrics_->retries.add();
  return true;
}

bool Exchange::is_replayable() const { return is_idempotent(client_->request().method) && !body_touched_; }

/// Of a final head that just came: is it one that is tried again? Then nothing of it goes to the client.
bool Exchange::drops_response() {
  if (!is_listed(retries_->statuses, response_.status)) return false;
  if (!grant_retry(TryEnd::status)) return false;
  fail(Side::upstream, Phase::response_head, {}, Reason::bad_status);
  retry_granted_ = true;
  return true;
}

/// The body of a dropped response, if it is here already: its connection can be used again. It is not waited for.
bool Exchange::drain_response() {
  if (!request_sent_ || !response_.keep_alive) return false;
  upstream_.start_body(response_, Http1BodyReader::Chunks::verbatim);
  BodyPiece piece;
  for (unsigned pieces = 0; pieces < pieces_per_turn; ++pieces) {
    if (upstream_.read_body(piece, Pipes::no) != Progress::done) return false;
    if (piece.last) return true;
  }
  return false;
}

/// Gives the connection back to its pool if both messages ended cleanly on it, else closes it.
void Exchange::settle_upstream() {
  client_->abort_with(nullptr);
  if (!upstream_.is_open()) return;
  if (service_->conf().ejection) report_try(*service_->conf().ejection);
  if (connecting_) judge_backend();
  metrics_->connections_active.sub();
  const bool whole = retry_granted_ ? drain_response() : response_complete_ && !failure_ && !tunnel_;
  const bool clean = whole && request_sent_ && response_.keep_alive && !endpoint_->gone;
  if (clean && !worker_.draining && is_verified_as_now()) {
    endpoint_->pool.release(upstream_.finish());
  } else {
    upstream_.close();
  }
}

/// When its service's certificates changed, a connection that was made by the former ones serves nobody else.
bool Exchange::is_verified_as_now() const {
  const TlsChannel* tls = upstream_.connection().stream.tls();
  return tls == nullptr || worker_.backend_tls[service_->service().index()]->has_made(tls->ssl());
}

/// What became of the try, for ejection. A status is judged by itself, whatever came after it. What is nobody's fault,
/// or not the endpoint's, is told as neither success nor failure. A tunnel was told of when it began.
void Exchange::report_try(const conf::Ejection& ejection) {
  if (tunnel_) return;
  if (has_head() && is_listed(ejection.statuses, response_.status)) {
    service_->failed(*endpoint_, "status " + std::to_string(response_.status));
  } else if (!failure_ || response_complete_ || failure_.reason == Reason::bad_status) {
    service_->succeeded(*endpoint_);
  } else if (is_endpoints_fault(failure_, try_facts())) {
    service_->failed(*endpoint_, to_string(reason_of(failure_)));
  }
}

TryFacts Exchange::try_facts() const {
  if (!upstream_.is_open()) return {.at_once = true};
  return {
      .reused = upstream_.connection().reused, .answered = upstream_.received_any(), .client_delayed = client_delayed_};
}

/// After the first exchange of a new connection: does the backend take what we say for what it is?
void Exchange::judge_backend() {
  using Answer = ProxyMismatch::Answer;
  Answer answer = Answer::other;
  if (upstream_.received_any()) {
    if (response_.status == 400) answer = Answer::bad_request;
  } else {
    // Only what the backend did itself: not a timeout, nor the client's going.
    const bool closed =
        failure_.side == Side::upstream && failure_.phase != Phase::connect &&
        (failure_.error == boost::asio::error::eof || failure_.error == boost::asio::error::connection_reset ||
         failure_.error == boost::asio::error::broken_pipe || failure_.error == tls_truncated());
    if (!closed) return;
    answer = Answer::none;
  }
  const std::string_view said =
      endpoint_->proxy_mismatch.judge(answer, service_->conf().propagate.proxy_protocol, worker_.loop.now());
  if (!said.empty())
    spdlog::warn("service {}: backend {} {}", service_->conf().name, endpoint_->endpoint->address_text, said);
}

}  // namespace telltale::proxy
