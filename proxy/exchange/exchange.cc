// An exchange's course, and what it decides. Connections are found in open_upstream.cc, octets moved in relay.cc, how
// tries end is in try_end.cc, what is told of it in record.cc.
#include "proxy/exchange/exchange.h"

#include "protocol/forwarding/asserted_client.h"
#include "proxy/exchange/dropped_assertion.h"
#include "proxy/exchange/identify.h"
#include "proxy/exchange/request_writer.h"
#include "proxy/observe/timestamp.h"

#include <boost/asio/error.hpp>

namespace telltale::proxy {

using boost::system::error_code;

Awaitable<After> Exchange::run(DownstreamSide& client, const ConnectionContext& connection) {
  begin(client, connection);
  if (decide()) {
    metrics_->requests_active.add();
    for (bool again = true; again;) {
      const Opened opened = open_upstream();
      if (opened == Opened::none) break;
      if (opened == Opened::wait) {
        again = co_await wait_for_turn();
        continue;
      }
      if (opened == Opened::open) {
        co_await talk();
        settle_upstream();
      }
      again = may_retry();
    }
    release_permits();
    metrics_->requests_active.sub();
  }
  // What the end of a shutdown cuts is cut: nothing is sent any more.
  if (status_ == 0 && !client_->broken() && reason_of(failure_) != Reason::shutdown) {
    if (!reply_) reply_ = error_reply(status_for(failure_));
    co_await send_reply();
  }
  finish();
  if (!response_complete_) co_return After::cut;
  const bool in_step = failure_.side != Side::downstream && client_->request_complete() && !tunnel_;
  co_return in_step ? After::keep_alive : After::close;
}

Awaitable<> Exchange::refuse(DownstreamSide& client, const ConnectionContext& connection, Failure failure) {
  begin(client, connection);
  failure_ = failure;
  head_refused_ = true;
  connection.metrics->bad_requests.add();
  reply_ = error_reply(status_for(failure), failure.error.message());
  co_await send_reply();
  finish();
}

void Exchange::begin(DownstreamSide& client, const ConnectionContext& connection) {
  client_ = &client;
  connection_ = &connection;
  route_ = nullptr;
  service_ = nullptr;
  metrics_ = &worker_.metrics->local;
  timeouts_ = nullptr;
  retries_ = nullptr;
  endpoint_ = nullptr;
  retry_count_ = tries_ = 0;
  resolved_.clear();
  assertion_.clear();
  reply_.reset();
  failure_ = {};
  status_ = interim_heads_ = 0;
  head_refused_ = connecting_ = continued_ = body_touched_ = response_complete_ = tunnel_ = retry_stale_ =
      retry_granted_ = false;
  tunnel_end_ = Side::none;
  id_ = worker_.next_request_id();
  began_ = worker_.loop.now();
  deadline_ = never;
  sent_at_ = head_at_ = {};
  connect_duration_ = {};
}

void Exchange::release_permits() {
  turn_.reset();
  request_permit_.release();
  retry_permit_.release();
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
          .scheme = connection_->listener->scheme(),
          .host = request.authority,
          .http_minor = request.minor_version,
          .method = request.method_text,
          .target = request.target,
          .listener = connection_->listener->name,
          .id_high = id_.high,
          .id_low = id_.low,
          .connection_number = connection_->number,
          .obfuscation_key = &worker_.obfuscation_key,
          .tls = connection_->tls.get(),
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
    request_failed(Phase::request_head, refused);
    return false;
  }
  if (listener.client_ip.assertion) check_assertion();
  if (too_large()) {
    request_failed(Phase::request_body, make_error_code(boost::system::errc::message_size));
    return false;
  }
  return find_service();
}

bool Exchange::find_service() {
  const auto& request = client_->request();
  route_ = connection_->snapshot->routes[connection_->listener_index]->match(
      request.host(), request.path(), {connection_->peer.tlvs, connection_->tls.get()});
  if (route_ == nullptr) {
    fail(Side::proxy, Phase::routing, {});
    reply_ = error_reply(404, "no route for this host and path");
    return false;
  }
  if (route_->redirect) {
    reply_ = redirect_reply(*route_->redirect, request, address_aimed_at(connection_->peer),
                            connection_->listener->scheme());
    return false;
  }
  if (route_->respond) {
    reply_ = fixed_reply(*route_->respond);
    return false;
  }
  service_ = worker_.services[*route_->service].get();
  metrics_ = &service_->metrics();
  timeouts_ = route_->timeouts ? &*route_->timeouts : &service_->conf().timeouts;
  retries_ = route_->retries ? &*route_->retries : &service_->conf().retries;
  if (timeouts_->total.count() > 0) deadline_ = began_ + timeouts_->total;
  if (!service_->admit(request_permit_)) {
    fail(Side::proxy, Phase::pick, {}, Reason::max_requests);
    return false;
  }
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

void Exchange::stage_request() {
  append_request_head(upstream_.staging(), client_->request(), connection_->listener->client_ip.header,
                      service_->conf().propagate, facts());
  upstream_.set_request_framing(client_->request().body.kind);
}

}  // namespace telltale::proxy
