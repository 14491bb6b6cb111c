#include "proxy/downstream/tcp_session.h"

#include "proxy/downstream/connection.h"
#include "proxy/downstream/tcp_relay.h"
#include "proxy/exchange/hash_key.h"
#include "proxy/exchange/proxy_prologue.h"
#include "proxy/exchange/upstream_tls.h"
#include "proxy/net/transparent_source.h"

#include <boost/asio/error.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace telltale::proxy {
namespace {

using boost::system::error_code;

constexpr std::size_t max_tries = 4;  // Retries::attempts is 3 at most

/// What does not depend on where it goes.
AccessRecord begin_record(Connection& connection, WorkerContext::RequestId id,
                          const forwarding::ClientAddress& client) {
  const auto& context = connection.context();
  AccessRecord record;
  record.time = std::chrono::system_clock::now();
  record.request_id_high = id.high;
  record.request_id_low = id.low;
  record.client = &client;
  record.peer = &context.peer;
  record.tls = context.tls.get();
  record.listener = context.listener->name;
  record.protocol = "TCP";
  return record;
}

class TcpSession {
 public:
  TcpSession(Connection& connection, const conf::Route& route);
  Awaitable<> run();

 private:
  Awaitable<bool> open_upstream();
  Awaitable<> try_endpoint();
  Awaitable<bool> take_connection(std::string identity);
  Awaitable<bool> wait_for_turn();
  Awaitable<error_code> connect(std::string_view proxy_header);
  Connecting begin_connect() const;
  Awaitable<error_code> secure(EventLoop::Clock::time_point until);
  bool pick();
  void leave();
  bool may_retry();
  void fail(Side side, Phase phase, error_code error, Reason reason = Reason::none);
  forwarding::RequestFacts facts() const;
  void record() const;

  Connection& connection_;
  WorkerContext& worker_;
  const conf::Route& route_;
  LocalService& service_;
  const conf::ServiceTimeouts& timeouts_;
  Stream& client_;
  std::unique_ptr<UpstreamConnection> upstream_;
  forwarding::ClientAddress resolved_;
  Permit permit_;
  RetryPermit retry_permit_;
  Turn turn_;
  LocalEndpoint* endpoint_ = nullptr;
  std::array<std::uint32_t, max_tries> tried_{};
  unsigned tries_ = 0;
  Phase phase_ = Phase::connect;  // of the present try
  Failure failure_;
  std::optional<TcpRelay> relay_;  // nullopt: nobody was connected to
  WorkerContext::RequestId id_;
  EventLoop::Clock::time_point began_;
  std::chrono::nanoseconds connect_duration_{};
};

TcpSession::TcpSession(Connection& connection, const conf::Route& route)
    : connection_(connection),
      worker_(connection.worker()),
      route_(route),
      service_(*worker_.services[*route_.service]),
      timeouts_(route_.timeouts ? *route_.timeouts : service_.conf().timeouts),
      client_(connection.stream()),
      id_(worker_.next_request_id()),
      began_(EventLoop::Clock::now()) {
  // No header of a request speaks here: layers 1 and 2 alone.
  forwarding::resolve_client_address(connection.context().peer, {}, {}, resolved_);
}

Awaitable<> TcpSession::run() {
  auto& metrics = service_.metrics();
  metrics.requests_active.add();
  const bool open = co_await open_upstream();
  if (open) {
    metrics.connections_active.add();
    relay_.emplace(worker_.loop, client_, upstream_->stream, timeouts_.idle);
    co_await relay_->run();
    failure_ = relay_->failure();
    metrics.connections_active.sub();
  }
  metrics.requests_active.sub();
  metrics.responses[0].add();
  if (failure_) metrics.failures[static_cast<std::size_t>(reason_of(failure_))].add();
  // A part must not be taken for the whole: who did not break is told so by a RST. Nothing moved for long: just an end.
  const bool idle = failure_.reason == Reason::idle_timeout;
  if (failure_ && !idle && failure_.side != Side::downstream) client_.reset();
  if (failure_ && !idle && failure_.side != Side::upstream && upstream_) upstream_->stream.reset();
  record();
  upstream_.reset();
  leave();
}

bool TcpSession::pick() {
  LocalService::Pick pick{
      .traffic = connection_.context().listener->internal ? TrafficKind::internal : TrafficKind::external,
      .client = resolved_.address ? &*resolved_.address : nullptr,
      .tried = std::span(tried_).first(tries_),
      .now = worker_.loop.now(),
      .prefers_idle = false};
  if (needs_hash(service_.conf().balance)) pick.hash = balance_hash_of(service_.conf().balance, {}, pick.client);
  LocalEndpoint* const picked = service_.enter(pick);
  if (picked == nullptr) {
    if (failure_) return false;  // the last try's stands
    const bool only_elsewhere = service_.reason(pick.traffic) == SelectionReason::no_local_endpoint;
    fail(Side::proxy, Phase::pick, make_error_code(boost::system::errc::host_unreachable),
         only_elsewhere ? Reason::no_local_endpoint : Reason::no_endpoint);
    service_.metrics().no_endpoint.add();
    return false;
  }
  leave();
  endpoint_ = picked;
  return true;
}

void TcpSession::leave() {
  if (endpoint_ != nullptr) service_.leave(*std::exchange(endpoint_, nullptr));
}

/// False: nobody could be connected to.
Awaitable<bool> TcpSession::open_upstream() {
  if (!service_.admit(permit_)) {
    fail(Side::proxy, Phase::pick, {}, Reason::max_requests);
    co_return false;
  }
  do {
    co_await try_endpoint();
  } while (may_retry());
  retry_permit_.release();
  co_return !failure_;
}

Awaitable<> TcpSession::try_endpoint() {
  std::string header, identity;
  const auto& propagate = service_.conf().propagate;
  if (propagate.proxy_protocol && !append_proxy_prologue(propagate, facts(), header, identity)) {
    fail(Side::proxy, Phase::connect, make_error_code(boost::system::errc::message_size));
    co_return;
  }
  const bool taken = co_await take_connection(std::move(identity));
  if (!taken) co_return;
  failure_ = {};
  tried_[tries_++] = endpoint_->endpoint->index;
  const auto began = EventLoop::Clock::now();
  phase_ = Phase::connect;
  const error_code error = co_await connect(header);
  connect_duration_ = EventLoop::Clock::now() - began;
  if (!error) {
    service_.succeeded(*endpoint_);
    co_return;
  }
  const bool at_once = !upstream_->stream.is_open();
  upstream_.reset();
  if (client_.descriptor().broken()) {
    fail(Side::downstream, Phase::connect, boost::asio::error::connection_reset);
    co_return;
  }
  fail(Side::upstream, phase_, error);
  service_.metrics().connect_failures.add();
  if (is_endpoints_fault(failure_, {.at_once = at_once})) service_.failed(*endpoint_, to_string(reason_of(failure_)));
}

/// Picks an endpoint and gets a place for a connection to it, which may take a while. False: in vain.
Awaitable<bool> TcpSession::take_connection(std::string identity) {
  for (;;) {
    if (!pick()) co_return false;
    upstream_ = service_.connection_to(*endpoint_, std::string(identity), turn_, LocalService::Reuse::forbidden);
    if (upstream_ != nullptr) co_return true;
    leave();  // who waits is no load of an endpoint
    const bool come = co_await wait_for_turn();
    if (!come) co_return false;
  }
}

/// As long as the client is there, and no longer than pending_timeout in one try. What the client sends meanwhile stays
/// where it is.
Awaitable<bool> TcpSession::wait_for_turn() {
  failure_ = {};  // of the try before
  if (!service_.wait(turn_, client_.descriptor().input())) {
    fail(Side::proxy, Phase::pick, {}, Reason::max_pending);
    co_return false;
  }
  const auto until = service_.pending_until(turn_);
  if (worker_.loop.now() >= until) fail(Side::proxy, Phase::pick, {}, Reason::pending_timeout);
  client_.descriptor().set_deadline(until);
  while (!turn_.has_come() && !failure_) {
    const auto [error] = co_await client_.descriptor().input().async_wait(as_result);
    if (client_.descriptor().broken()) fail(Side::downstream, Phase::pick, boost::asio::error::connection_reset);
    if (error == boost::asio::error::timed_out) fail(Side::proxy, Phase::pick, {}, Reason::pending_timeout);
    if (error) fail(Side::proxy, Phase::pick, error);
  }
  client_.expires_never();
  co_return turn_.has_come() && !failure_;
}

/// Only a failed connect: nothing was said to the client yet, and nothing of it was lost.
bool TcpSession::may_retry() {
  const auto& retries = route_.retries ? *route_.retries : service_.conf().retries;
  if (failure_.side != Side::upstream || !retries.connect_failure) return false;
  if (tries_ > retries.attempts || tries_ == max_tries) return false;
  const auto traffic = connection_.context().listener->internal ? TrafficKind::internal : TrafficKind::external;
  if (!service_.has_other(traffic, std::span(tried_).first(tries_))) return false;
  const RetryRefusal refusal = service_.admit_retry(retry_permit_, retries, LocalService::Sent::nothing);
  if (refusal != RetryRefusal::none) {
    service_.metrics().retries_refused[static_cast<std::size_t>(refusal)].add();
    return false;
  }
  service_.metrics().retries.add();
  return true;
}

/// Connects to endpoint_ and sends the PROXY header.
Awaitable<error_code> TcpSession::connect(std::string_view proxy_header) {
  Connecting connecting = begin_connect();
  if (connecting.error) co_return connecting.error;
  service_.metrics().connections_opened.add();
  Stream& stream = upstream_->stream;
  stream = std::move(connecting.stream);
  const auto until = worker_.loop.now() + timeouts_.connect;
  stream.descriptor().set_deadline(until);
  client_.descriptor().set_dependent(&stream.descriptor());
  // With nothing to send yet the server may speak first: whether the connection stands is for epoll to tell.
  stream.descriptor().clear_writable();
  error_code error;
  do {
    std::tie(error) = co_await stream.async_writable(as_result);
    if (!error) error = finish_connect(stream);
    if (error || proxy_header.empty()) break;
    const IoResult sent = stream.write(proxy_header);
    proxy_header.remove_prefix(sent.size);
    if (sent.error && sent.error != boost::asio::error::would_block) error = sent.error;
  } while (!error && !proxy_header.empty());
  if (!error && service_.conf().tls) error = co_await secure(until);
  client_.descriptor().set_dependent(nullptr);
  co_return error;
}

/// Within the same time.
Awaitable<error_code> TcpSession::secure(EventLoop::Clock::time_point until) {
  phase_ = Phase::handshake;
  return secure_upstream(upstream_->stream, worker_, service_, endpoint_->endpoint, ClientContext::Speaks::anything,
                         until);
}

/// From this host's address, or from the client's own: no other stands in for it.
Connecting TcpSession::begin_connect() const {
  const auto& address = endpoint_->endpoint->address;
  if (!service_.conf().propagate.transparent_source) return start_connect(worker_.loop, address);
  if (!resolved_.address) return {{}, SourceError::no_client_address};
  return start_connect(worker_.loop, address, &*resolved_.address);
}

/// The first cause stands.
void TcpSession::fail(Side side, Phase phase, error_code error, Reason reason) {
  if (!failure_) failure_ = {error, side, phase, reason};
}

forwarding::RequestFacts TcpSession::facts() const {
  const auto& context = connection_.context();
  return {.peer = context.peer,
          .client = resolved_,
          .scheme = "tcp",
          .host = {},
          .http_minor = forwarding::RequestFacts::no_http,
          .listener = context.listener->name,
          .id_high = id_.high,
          .id_low = id_.low,
          .connection_number = context.number,
          .obfuscation_key = &worker_.obfuscation_key,
          .tls = context.tls.get()};
}

void TcpSession::record() const {
  if (worker_.access_log == nullptr) return;
  AccessRecord record = begin_record(connection_, id_, resolved_);
  record.route = route_.name;
  record.service = service_.conf().name;
  if (endpoint_ != nullptr) {
    const Endpoint& endpoint = *endpoint_->endpoint;
    record.endpoint = endpoint.address_text;
    if (endpoint.node != nullptr) record.node = endpoint.node->display_name;
  }
  if (relay_) {
    record.bytes_received = relay_->octets_from_client();
    record.bytes_sent = relay_->octets_from_backend();
  }
  record.duration = EventLoop::Clock::now() - began_;
  record.connect_duration = connect_duration_;
  record.tries = tries_;
  record.failure = failure_;
  record.ended_by = relay_ ? relay_->ended_by() : failure_.side;
  const std::string detail = describe(failure_);
  record.failure_detail = detail;
  worker_.access_log->write(record);
}

/// A connection that no route is for: there is nobody to say anything to.
void end_unrouted(Connection& connection, std::string_view peeked) {
  WorkerContext& worker = connection.worker();
  const Failure failure{.error = {}, .side = Side::proxy, .phase = Phase::routing};
  worker.metrics->local.responses[0].add();
  worker.metrics->local.failures[static_cast<std::size_t>(reason_of(failure))].add();
  if (worker.access_log == nullptr) return;
  forwarding::ClientAddress client;
  forwarding::resolve_client_address(connection.context().peer, {}, {}, client);
  AccessRecord record = begin_record(connection, worker.next_request_id(), client);
  record.failure = failure;
  record.failure_detail = peeked.empty() ? "no route for this connection" : peeked;
  record.ended_by = Side::proxy;
  worker.access_log->write(record);
}

const conf::Route* route_of(const ConnectionContext& context) {
  const forwarding::TlsFacts* tls = context.tls.get();
  return context.snapshot->routes[context.listener_index]->match(tls != nullptr ? tls->sni : std::string_view(), {},
                                                                 {context.peer.tlvs, tls});
}

}  // namespace

Awaitable<> serve_tcp(Connection& connection, std::string_view peeked) {
  const conf::Route* route = route_of(connection.context());
  if (route == nullptr) {
    end_unrouted(connection, peeked);
    co_return;
  }
  TcpSession session(connection, *route);
  co_await session.run();
}

}  // namespace telltale::proxy
