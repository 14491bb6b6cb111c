// An exchange's course: what it decides, and how it ends. The moving of octets is in relay.cc, what is told of it in
// record.cc.
#include "proxy/exchange/exchange.h"

#include "protocol/forwarding/asserted_client.h"
#include "proxy/exchange/dropped_assertion.h"
#include "proxy/exchange/hash_key.h"
#include "proxy/exchange/identify.h"
#include "proxy/exchange/proxy_prologue.h"
#include "proxy/exchange/request_writer.h"
#include "proxy/net/transparent_source.h"
#include "proxy/observe/timestamp.h"

#include <boost/asio/error.hpp>
#include <spdlog/spdlog.h>

#include <span>
#include <utility>

namespace telltale::proxy {

using boost::system::error_code;

Awaitable<After> Exchange::run(DownstreamSide& client, const ConnectionContext& connection) {
  begin(client, connection);
  if (decide()) {
    metrics_->requests_active.add();
    while (open_upstream()) {
      co_await talk();
      settle_upstream();
      if (!may_retry()) break;
    }
    metrics_->requests_active.sub();
  }
  if (status_ == 0 && !client_->broken()) {
    if (!reply_) reply_ = error_reply(failure_status_ != 0 ? failure_status_ : status_for(failure_));
    co_await send_reply();
  }
  finish();
  if (!response_complete_) co_return After::cut;
  const bool in_step = failure_.side != Side::downstream && client_->request_complete() && !tunnel_;
  co_return in_step ? After::keep_alive : After::close;
}

Awaitable<> Exchange::refuse(DownstreamSide& client, const ConnectionContext& connection, Failure failure,
                             unsigned status) {
  begin(client, connection);
  failure_ = failure;
  failure_status_ = status;
  head_refused_ = true;
  connection.metrics->bad_requests.add();
  reply_ = error_reply(status, failure.error.message());
  co_await send_reply();
  finish();
}

void Exchange::begin(DownstreamSide& client, const ConnectionContext& connection) {
  client_ = &client;
  connection_ = &connection;
  route_ = nullptr;
  service_ = nullptr;
  metrics_ = &worker_.metrics->local;
  endpoint_ = nullptr;
  tried_count_ = tries_ = 0;
  resolved_.clear();
  assertion_.clear();
  reply_.reset();
  failure_ = {};
  failure_status_ = status_ = interim_heads_ = 0;
  head_refused_ = false;
  request_sent_ = response_read_ = response_complete_ = client_full_ = tunnel_ = retry_stale_ = upload_broken_ =
      pump_stopping_ = false;
  id_ = worker_.next_request_id();
  began_ = worker_.loop.now();
  sent_at_ = head_at_ = {};
  connect_duration_ = {};
}

/// A client at fault is closed upon; a backend's fault is no reason to.
bool Exchange::keep_alive() const {
  return client_->request().keep_alive && !worker_.draining && failure_.side != Side::downstream;
}

bool Exchange::gives_up_request() const { return status_ >= 400 && !client_->request_complete(); }

forwarding::RequestFacts Exchange::facts() const {
  const auto& request = client_->request();
  return {.peer = connection_->peer,
          .client = resolved_,
          .scheme = connection_->scheme,
          .host = request.authority,
          .http_minor = request.minor_version,
          .method = request.method_text,
          .target = request.target,
          .listener = connection_->listener->name,
          .id_high = id_.high,
          .id_low = id_.low,
          .connection_number = connection_->number,
          .obfuscation_key = &worker_.obfuscation_key,
          .assertion = assertion_};
}

/// Who is it, and where does it go? False: a reply is owed instead.
bool Exchange::decide() {
  const auto& request = client_->request();
  const auto& listener = *connection_->listener;
  const error_code refused = identify_client(listener, connection_->peer, request, resolved_);
  if (!resolved_.rejected.empty()) count_refusal();
  if (refused) {
    connection_->metrics->bad_requests.add();
    request_failed(Phase::request_head, refused, 400);
    return false;
  }
  if (listener.client_ip.assertion) check_assertion();
  if (too_large()) {
    request_failed(Phase::request_body, make_error_code(boost::system::errc::message_size), 413);
    return false;
  }
  route_ = connection_->snapshot->routes[connection_->listener_index]->match(request.host(), request.path(),
                                                                             connection_->peer.tlvs);
  if (route_ == nullptr) {
    reply_ = error_reply(404, "no route for this host and path");
    return false;
  }
  if (route_->redirect) {
    reply_ = redirect_reply(*route_->redirect, request, address_aimed_at(connection_->peer), connection_->scheme);
    return false;
  }
  if (route_->respond) {
    reply_ = fixed_reply(*route_->respond);
    return false;
  }
  service_ = worker_.services[*route_->service].get();
  metrics_ = &service_->metrics();
  if (service_->conf().propagate.assertion) sign_client();
  return true;
}

/// One in the head decides if it is valid, else one in the PROXY header; what is not valid is dropped.
void Exchange::check_assertion() {
  const auto& request = client_->request();
  const auto& trust = *connection_->listener->client_ip.assertion;
  const forwarding::AssertionCheck check{.keys = *worker_.keyrings[trust.keys],
                                         .window = trust.window,
                                         .now = unix_seconds(),
                                         .authority = request.authority};
  const auto is_valid = [&](std::optional<assertion::Verdict> verdict, std::uint8_t tlv) {
    if (!verdict) return false;
    connection_->metrics->assertions[static_cast<std::size_t>(*verdict)].add();
    if (*verdict == assertion::Verdict::valid) return true;
    report_dropped_assertion(worker_, *connection_, *verdict, tlv);
    return false;
  };
  if (is_valid(forwarding::apply_assertion(request.fields, check, resolved_), 0)) return;
  is_valid(forwarding::apply_tlv_assertion(connection_->peer, trust.tlv, check, resolved_), trust.tlv);
}

/// A client without an address cannot be told, so it is not signed.
void Exchange::sign_client() {
  if (!resolved_.address) return;
  assertion::append_signed(assertion_, *worker_.keyrings[service_->conf().propagate.assertion->keys], unix_seconds(),
                           {*resolved_.address, resolved_.port}, client_->request().authority);
}

/// Picks an endpoint and stages the request on a connection to it. False: there is none, or it could not be had.
bool Exchange::open_upstream() {
  for (;;) {
    if (!pick_endpoint()) return false;
    failure_ = {};
    ++tries_;
    try_began_ = worker_.loop.now();

    std::string proxy_header, identity;
    if (!make_identity(proxy_header, identity)) {
      failure_ = {make_error_code(boost::system::errc::message_size), Side::proxy, Phase::request_write, false};
      return false;
    }
    connecting_ = false;
    // After a stale connection a new one: those that are idle are as old. And only once.
    std::unique_ptr<UpstreamConnection> connection;
    if (!std::exchange(retry_stale_, false)) connection = endpoint_->pool.acquire(identity);
    if (connection != nullptr) {
      metrics_->connections_reused.add();
      upstream_.start(std::move(connection));
    } else {
      auto opened = connect_to_endpoint();
      if (opened.error) {
        upstream_failed(Phase::connect, opened.error);
        if (!may_retry()) return false;
        continue;
      }
      connecting_ = true;
      metrics_->connections_opened.add();
      connection = std::make_unique<UpstreamConnection>();
      connection->stream = std::move(opened.stream);
      connection->identity = std::move(identity);
      upstream_.start(std::move(connection));
      upstream_.staging().append(proxy_header);
    }
    metrics_->connections_active.add();
    return true;
  }
}

/// False: nobody may be chosen. After a failed try that one's failure, and endpoint, stand.
bool Exchange::pick_endpoint() {
  LocalService::Pick pick{.traffic = connection_->listener->internal ? TrafficKind::internal : TrafficKind::external,
                          .client = resolved_.address ? &*resolved_.address : nullptr,
                          .tried = std::span(tried_).first(tried_count_),
                          .now = worker_.loop.now()};
  if (needs_hash(service_->conf().balance)) {
    pick.hash = balance_hash_of(service_->conf().balance, client_->request().fields, pick.client);
  }
  LocalEndpoint* const picked = service_->enter(pick);
  if (picked == nullptr) {
    if (failure_) return false;
    failure_ = {make_error_code(boost::system::errc::host_unreachable), Side::proxy, Phase::pick, false};
    metrics_->no_endpoint.add();
    return false;
  }
  leave_endpoint();
  endpoint_ = picked;
  return true;
}

void Exchange::leave_endpoint() {
  if (endpoint_ != nullptr) service_->leave(*std::exchange(endpoint_, nullptr));
}

/// From this host's address, or from the client's own. A client without an address, or of another family than the
/// endpoint, is an error: no other address stands in for it.
Connecting Exchange::connect_to_endpoint() const {
  if (!service_->conf().propagate.transparent_source) return start_connect(worker_.loop, endpoint_->endpoint->address);
  if (!resolved_.address) return {{}, SourceError::no_client_address};
  return start_connect(worker_.loop, endpoint_->endpoint->address, &*resolved_.address);
}

/// The PROXY header a new connection opens with, and the pool key: the same without what differs by connection, and the
/// source address that it is made from. False: the header would be too long, and a backend must not be reached without
/// it.
bool Exchange::make_identity(std::string& proxy_header, std::string& identity) const {
  const auto& propagate = service_->conf().propagate;
  if (propagate.transparent_source && resolved_.address) {
    resolved_.address->append_to(identity);
    identity += '\n';
  }
  if (!propagate.proxy_protocol) return true;
  return append_proxy_prologue(propagate, facts(), proxy_header, identity);
}

/// After a try failed: may another one be made? Only before any octet reached the client and none was sent upstream,
/// or on a pooled connection that turned out stale under an idempotent request (RFC 9110 9.2.2).
bool Exchange::may_retry() {
  if (!failure_ || !failure_.retryable || status_ != 0 || client_->broken()) return false;
  if (retry_stale_) {
    metrics_->retries.add();
    return true;
  }
  if (tries_ > service_->conf().retries.attempts || tried_count_ == max_tries) return false;
  tried_[tried_count_++] = endpoint_->endpoint->index;
  metrics_->retries.add();
  return true;
}

const http::HeaderBlock& Exchange::request_trailers() {
  const http::HeaderBlock& received = client_->trailers();
  if (received.empty()) return received;
  keep_trailers(received, connection_->listener->client_ip.header, connection_->listener->limits.head.underscores,
                service_->conf().propagate, trailers_);
  return trailers_;
}

void Exchange::count_refusal() {
  if (const auto* refusal = forwarding::refusal_of(resolved_)) {
    connection_->metrics->header_refusals[static_cast<std::size_t>(refusal->reason)].add();
  }
}

bool Exchange::too_large() const {
  const std::uint64_t limit = connection_->listener->limits.max_body_bytes;
  if (limit == 0) return false;
  const auto& body = client_->request().body;
  return (body.kind == http1::Framing::content_length && body.length > limit) ||
         client_->body_octets_received() > limit;
}

std::chrono::milliseconds Exchange::input_timeout() const {
  return tunnel_ ? service_->conf().timeouts.response : connection_->listener->timeouts.body;
}

void Exchange::stage_request() {
  append_request_head(upstream_.staging(), client_->request(), connection_->listener->client_ip.header,
                      service_->conf().propagate, facts());
  upstream_.set_request_framing(client_->request().body.kind);
}

void Exchange::request_failed(Phase phase, error_code error, unsigned status) {
  failure_ = {error, Side::downstream, phase, false};
  failure_status_ = status;
}

void Exchange::upstream_failed(Phase phase, error_code error) {
  if (failure_) return;  // the first cause stands
  if (client_->broken() && error == boost::asio::error::connection_reset) {
    client_failed(Phase::response_write, error);
    return;
  }
  failure_ = {error, Side::upstream, phase, false};
  if (phase == Phase::connect) {
    failure_.retryable = true;
    metrics_->connect_failures.add();
    return;
  }
  // A pooled connection that its backend closed just now: nothing was answered, and asking again does no harm.
  const auto& request = client_->request();
  if (upstream_.connection().reused && !upstream_.received_any() && request.body.kind == http1::Framing::none &&
      is_idempotent(request.method) && error != boost::asio::error::timed_out) {
    failure_.retryable = retry_stale_ = true;
  }
}

void Exchange::client_failed(Phase phase, error_code error) {
  if (!failure_) failure_ = {error, Side::downstream, phase, false};
}

/// Gives the connection back to its pool if both messages ended cleanly on it, else closes it.
void Exchange::settle_upstream() {
  client_->abort_with(nullptr);
  if (!upstream_.is_open()) return;
  if (connecting_) judge_backend();
  metrics_->connections_active.sub();
  const bool clean = response_complete_ && request_sent_ && !failure_ && !tunnel_ && response_.keep_alive;
  if (clean && !worker_.draining && !endpoint_->gone) {
    endpoint_->pool.release(upstream_.finish());
  } else {
    upstream_.close();
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
