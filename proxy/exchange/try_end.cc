// How a try ends: what is told of its endpoint, what becomes of its connection, and whether there is another try.
#include "proxy/exchange/exchange.h"

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
  if (reason == Reason::none && error == boost::asio::error::timed_out && is_total_over()) {
    reason = Reason::total_timeout;
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
  if (phase == Phase::connect) {
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

/// A final head came: is it one that is tried again? Then nothing of it goes to the client.
bool Exchange::drops_response() {
  if (retries_->statuses.empty() || !is_listed(retries_->statuses, response_.status)) return false;
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
    if (upstream_.read_body(piece) != Progress::done) return false;
    if (piece.last) return true;
  }
  return false;
}

/// Gives the connection back to its pool if both messages ended cleanly on it, else closes it.
void Exchange::settle_upstream() {
  client_->abort_with(nullptr);
  if (!upstream_.is_open()) return;
  report_try();
  if (connecting_) judge_backend();
  metrics_->connections_active.sub();
  const bool whole = retry_granted_ ? drain_response() : response_complete_ && !failure_ && !tunnel_;
  const bool clean = whole && request_sent_ && response_.keep_alive;
  if (clean && !worker_.draining && !endpoint_->gone) {
    endpoint_->pool.release(upstream_.finish());
  } else {
    upstream_.close();
  }
}

/// What became of the try, for ejection. A client's fault is told as neither success nor failure, as is a pooled
/// connection that had ended.
void Exchange::report_try() {
  const auto& ejection = service_->conf().ejection;
  if (!ejection) return;
  const Reason reason = reason_of(failure_);
  if (failure_ && reason != Reason::bad_status) {
    if (is_endpoint_to_blame()) service_->failed(*endpoint_, to_string(reason));
  } else if (is_listed(ejection->statuses, response_.status)) {
    service_->failed(*endpoint_, "status " + std::to_string(response_.status));
  } else {
    service_->succeeded(*endpoint_);
  }
}

bool Exchange::is_endpoint_to_blame() const {
  if (failure_.side != Side::upstream || retry_stale_) return false;
  switch (reason_of(failure_)) {
    case Reason::no_resources:
    case Reason::no_source_address:
    case Reason::shutdown:
      return false;
    case Reason::total_timeout:
      return status_ == 0;  // a long response may be long because of its client
    case Reason::upstream_reset:
    case Reason::upstream_closed:
      return !upstream_.connection().reused || upstream_.received_any();
    default:
      return true;
  }
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
         failure_.error == boost::asio::error::broken_pipe);
    if (!closed) return;
    answer = Answer::none;
  }
  const std::string_view said =
      endpoint_->proxy_mismatch.judge(answer, service_->conf().propagate.proxy_protocol, worker_.loop.now());
  if (!said.empty())
    spdlog::warn("service {}: backend {} {}", service_->conf().name, endpoint_->endpoint->address_text, said);
}

}  // namespace telltale::proxy
