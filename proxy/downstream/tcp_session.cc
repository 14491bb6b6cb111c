#include "proxy/downstream/tcp_session.h"

#include "proxy/downstream/connection.h"
#include "proxy/exchange/hash_key.h"
#include "proxy/exchange/proxy_prologue.h"
#include "proxy/net/transparent_source.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace telltale::proxy {
namespace {

using boost::system::error_code;

/// Of a scratch buffer each, at most: then whoever else is ready has a turn.
constexpr unsigned pieces_per_turn = 16;
constexpr std::size_t max_tries = 4;

class TcpSession {
 public:
  explicit TcpSession(Connection& connection);
  Awaitable<> run();

 private:
  /// One direction.
  struct Way {
    Stream& from;
    Stream& to;
    Side from_side, to_side;
    std::uint64_t octets = 0;
  };

  Awaitable<bool> open_upstream();
  Awaitable<error_code> connect();
  Connecting begin_connect() const;
  bool pick();
  void leave();
  Awaitable<> relay();
  Awaitable<> move(Way& way);
  Awaitable<> move_back();
  void moved();
  void fail(Side side, Phase phase, error_code error);
  forwarding::RequestFacts facts() const;
  void record() const;

  Connection& connection_;
  WorkerContext& worker_;
  const conf::Route& route_;
  LocalService& service_;
  const conf::ServiceTimeouts& timeouts_;
  Stream& client_;
  Stream upstream_;
  forwarding::ClientAddress resolved_;
  LocalEndpoint* endpoint_ = nullptr;
  std::array<std::uint32_t, max_tries> tried_{};
  unsigned tries_ = 0;
  Way down_{upstream_, client_, Side::upstream, Side::downstream};
  Way up_{client_, upstream_, Side::downstream, Side::upstream};
  Side ended_first_ = Side::none;
  Failure failure_;
  bool moves_back_ = false;  // move_back() runs
  Readiness moved_back_;
  WorkerContext::RequestId id_;
  EventLoop::Clock::time_point began_;
  std::chrono::nanoseconds connect_duration_{};
};

TcpSession::TcpSession(Connection& connection)
    : connection_(connection),
      worker_(connection.worker()),
      route_(connection.context().listener->routes.front()),
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
    co_await relay();
    metrics.connections_active.sub();
  }
  metrics.requests_active.sub();
  metrics.responses[0].add();
  // A part must not be taken for the whole: who did not break is told so by a RST. Nothing moved for long: just an end.
  const bool idle = failure_.error == boost::asio::error::timed_out && open;
  if (failure_ && !idle && failure_.side != Side::downstream) client_.reset();
  if (failure_ && !idle && failure_.side != Side::upstream) upstream_.reset();
  record();
  leave();
}

bool TcpSession::pick() {
  LocalService::Pick pick{
      .traffic = connection_.context().listener->internal ? TrafficKind::internal : TrafficKind::external,
      .client = resolved_.address ? &*resolved_.address : nullptr,
      .tried = std::span(tried_).first(tries_),
      .now = worker_.loop.now()};
  if (needs_hash(service_.conf().balance)) pick.hash = balance_hash_of(service_.conf().balance, {}, pick.client);
  LocalEndpoint* const picked = service_.enter(pick);
  if (picked == nullptr) return false;
  leave();
  endpoint_ = picked;
  return true;
}

void TcpSession::leave() {
  if (endpoint_ != nullptr) service_.leave(*std::exchange(endpoint_, nullptr));
}

/// False: nobody could be connected to.
Awaitable<bool> TcpSession::open_upstream() {
  const auto& retries = route_.retries ? *route_.retries : service_.conf().retries;
  for (;;) {
    if (!pick()) {
      if (!failure_) {
        failure_ = {make_error_code(boost::system::errc::host_unreachable), Side::proxy, Phase::pick, false};
        service_.metrics().no_endpoint.add();
      }
      co_return false;
    }
    failure_ = {};
    tried_[tries_++] = endpoint_->endpoint->index;
    const auto began = EventLoop::Clock::now();
    const error_code error = co_await connect();
    connect_duration_ = EventLoop::Clock::now() - began;
    if (!error) {
      service_.succeeded(*endpoint_);
      co_return true;
    }
    upstream_.close();
    if (client_.descriptor().broken()) {
      fail(Side::downstream, Phase::connect, error);
      co_return false;
    }
    service_.metrics().connect_failures.add();
    service_.failed(*endpoint_, error.message());
    failure_ = {error, Side::upstream, Phase::connect, true};
    if (!retries.connect_failure || tries_ > retries.attempts || tries_ == max_tries) co_return false;
    service_.metrics().retries.add();
  }
}

/// Connects to endpoint_ and sends the PROXY header.
Awaitable<error_code> TcpSession::connect() {
  std::string header, identity;
  const auto& propagate = service_.conf().propagate;
  if (propagate.proxy_protocol && !append_proxy_prologue(propagate, facts(), header, identity)) {
    co_return make_error_code(boost::system::errc::message_size);
  }
  Connecting connecting = begin_connect();
  if (connecting.error) co_return connecting.error;
  service_.metrics().connections_opened.add();
  upstream_ = std::move(connecting.stream);
  upstream_.expires_after(timeouts_.connect);
  client_.descriptor().set_dependent(&upstream_.descriptor());
  // With nothing to send yet the server may speak first: whether the connection stands is for epoll to tell.
  upstream_.descriptor().clear_writable();
  error_code error;
  std::string_view rest = header;
  do {
    std::tie(error) = co_await upstream_.async_writable(as_result);
    if (!error) error = finish_connect(upstream_);
    if (error || rest.empty()) break;
    const IoResult sent = upstream_.write(rest);
    rest.remove_prefix(sent.size);
    if (sent.error && sent.error != boost::asio::error::would_block) error = sent.error;
  } while (!error && !rest.empty());
  client_.descriptor().set_dependent(nullptr);
  co_return error;
}

/// From this host's address, or from the client's own: no other stands in for it.
Connecting TcpSession::begin_connect() const {
  const auto& address = endpoint_->endpoint->address;
  if (!service_.conf().propagate.transparent_source) return start_connect(worker_.loop, address);
  if (!resolved_.address) return {{}, SourceError::no_client_address};
  return start_connect(worker_.loop, address, &*resolved_.address);
}

Awaitable<> TcpSession::relay() {
  moved();
  moves_back_ = true;
  boost::asio::co_spawn(worker_.loop.get_executor(), move_back(), boost::asio::detached);
  co_await move(up_);
  while (moves_back_) co_await moved_back_.async_wait(as_result);
}

Awaitable<> TcpSession::move_back() {
  co_await move(down_);
  moves_back_ = false;
  moved_back_.signal();  // the last touch: whoever wakes may end the session
}

/// Until its side ends, or anything fails. What the other side does not take yet is put back, so that nothing more is
/// read for it: that is the backpressure.
Awaitable<> TcpSession::move(Way& way) {
  for (unsigned pieces = 0; !failure_;) {
    const ReadResult got = way.from.read();
    if (got.error == boost::asio::error::would_block) {
      pieces = 0;
      const auto [error] = co_await way.from.async_readable(as_result);
      if (error) fail(way.from_side, Phase::response_body, error);
      continue;
    }
    if (got.error == boost::asio::error::eof) {
      if (ended_first_ == Side::none) ended_first_ = way.from_side;
      way.to.shutdown_write();
      co_return;
    }
    if (got.error) {
      fail(way.from_side, Phase::response_body, got.error);
      co_return;
    }
    const IoResult put = way.to.write(got.octets);
    way.octets += put.size;
    if (put.size > 0) moved();
    if (put.error && put.error != boost::asio::error::would_block) {
      fail(way.to_side, Phase::response_write, put.error);
      co_return;
    }
    if (put.size < got.octets.size()) {
      way.from.unread(got.octets.substr(put.size));
      const auto [error] = co_await way.to.async_writable(as_result);
      if (error) fail(way.to_side, Phase::response_write, error);
    } else if (++pieces % pieces_per_turn == 0) {
      const auto [error] = co_await worker_.loop.async_yield(as_result);
      if (error) fail(Side::proxy, Phase::response_write, error);
    }
  }
}

/// A move in either direction is a sign of life of the whole.
void TcpSession::moved() {
  client_.expires_after(timeouts_.idle);
  upstream_.expires_after(timeouts_.idle);
}

/// The first cause stands; whoever waits is woken and finds it.
void TcpSession::fail(Side side, Phase phase, error_code error) {
  if (failure_) return;
  failure_ = {error, side, phase, false};
  for (Stream* stream : {&client_, &upstream_}) {
    if (!stream->is_open()) continue;
    stream->descriptor().input().fail(boost::asio::error::operation_aborted);
    if (stream->is_open()) stream->descriptor().output().fail(boost::asio::error::operation_aborted);
  }
}

forwarding::RequestFacts TcpSession::facts() const {
  const auto& context = connection_.context();
  return {.peer = context.peer,
          .client = resolved_,
          .scheme = "tcp",
          .host = {},
          .listener = context.listener->name,
          .id_high = id_.high,
          .id_low = id_.low,
          .connection_number = context.number,
          .obfuscation_key = &worker_.obfuscation_key};
}

void TcpSession::record() const {
  if (worker_.access_log == nullptr) return;
  const auto& context = connection_.context();
  AccessRecord record;
  record.time = std::chrono::system_clock::now();
  record.request_id_high = id_.high;
  record.request_id_low = id_.low;
  record.client = &resolved_;
  record.peer = &context.peer;
  record.listener = context.listener->name;
  record.route = route_.name;
  record.service = service_.conf().name;
  if (endpoint_ != nullptr) {
    const Endpoint& endpoint = *endpoint_->endpoint;
    record.endpoint = endpoint.address_text;
    if (endpoint.node != nullptr) record.node = endpoint.node->name;
  }
  record.protocol = "TCP";
  record.bytes_received = up_.octets;
  record.bytes_sent = down_.octets;
  record.duration = EventLoop::Clock::now() - began_;
  record.connect_duration = connect_duration_;
  record.tries = tries_;
  record.failure = failure_;
  const std::string detail = failure_ ? failure_.error.message() : std::string();
  record.failure_detail = detail;
  worker_.access_log->write(record);
}

}  // namespace

Awaitable<> serve_tcp(Connection& connection) {
  TcpSession session(connection);
  co_await session.run();
}

}  // namespace telltale::proxy
