// How an exchange comes to a connection: whom it picks, and how it waits where the service's connections are limited.
#include "proxy/exchange/exchange.h"
#include "proxy/exchange/hash_key.h"
#include "proxy/exchange/proxy_prologue.h"
#include "proxy/net/transparent_source.h"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <span>
#include <utility>

namespace telltale::proxy {

using boost::system::error_code;

/// Picks an endpoint and takes a connection to it, or begins one.
Exchange::Opened Exchange::open_upstream() {
  if (!pick_endpoint()) return Opened::none;
  std::string proxy_header, identity;
  if (!make_identity(proxy_header, identity)) {
    failure_ = {make_error_code(boost::system::errc::message_size), Side::proxy, Phase::request_write};
    return Opened::none;
  }
  // After a stale connection a new one: those that are idle are as old. And only once.
  const auto reuse = retry_stale_ ? LocalService::Reuse::forbidden : LocalService::Reuse::allowed;
  auto connection = service_->connection_to(*endpoint_, std::move(identity), turn_, reuse);
  if (connection == nullptr) {
    leave_endpoint();  // who waits is no load of an endpoint
    return Opened::wait;
  }
  begin_try();
  if (connection->reused) {
    metrics_->connections_reused.add();
    upstream_.start(std::move(connection));
  } else {
    connecting_ = true;
    auto opened = connect_to_endpoint();
    if (opened.error) {
      upstream_failed(Phase::connect, opened.error);
      if (service_->conf().ejection) report_try(*service_->conf().ejection);
      return Opened::failed;
    }
    metrics_->connections_opened.add();
    connection->stream = std::move(opened.stream);
    upstream_.start(std::move(connection));
    upstream_.staging().append(proxy_header);
  }
  metrics_->connections_active.add();
  return Opened::open;
}

void Exchange::begin_try() {
  failure_ = {};
  ++tries_;
  try_began_ = worker_.loop.now();
  head_at_ = {};
  connecting_ = retry_stale_ = client_delayed_ = false;
  request_sent_ = response_read_ = client_full_ = upload_broken_ = pump_stopping_ = false;
}

TrafficKind Exchange::traffic() const {
  return connection_->listener->internal ? TrafficKind::internal : TrafficKind::external;
}

/// False: nobody may be chosen. After a failed try that one's failure, and endpoint, stand.
bool Exchange::pick_endpoint() {
  LocalService::Pick pick{.traffic = traffic(),
                          .client = resolved_.address ? &*resolved_.address : nullptr,
                          .tried = std::span(tried_).first(retry_count_),
                          .now = worker_.loop.now(),
                          .prefers_idle = turn_.has_come()};
  if (needs_hash(service_->conf().balance)) {
    pick.hash = balance_hash_of(service_->conf().balance, client_->request().fields, pick.client);
  }
  LocalEndpoint* const picked = service_->enter(pick);
  if (picked == nullptr) {
    if (failure_) return false;
    const bool only_elsewhere = service_->reason(pick.traffic) == SelectionReason::no_local_endpoint;
    fail(Side::proxy, Phase::pick, make_error_code(boost::system::errc::host_unreachable),
         only_elsewhere ? Reason::no_local_endpoint : Reason::no_endpoint);
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

/// In line for a connection, as long as the client is there, and no longer than pending_timeout in one try. False: in
/// vain.
Awaitable<bool> Exchange::wait_for_turn() {
  failure_ = {};
  if (!service_->wait(turn_, client_->input())) {
    fail(Side::proxy, Phase::pick, {}, Reason::max_pending);
    co_return false;
  }
  const auto until = service_->pending_until(turn_);
  if (worker_.loop.now() >= until) fail(Side::proxy, Phase::pick, {}, Reason::pending_timeout);
  while (!turn_.has_come() && !failure_) {
    // What the client sends meanwhile wakes this, too: the deadline stays.
    const auto rest = std::chrono::ceil<std::chrono::milliseconds>(until - worker_.loop.now());
    client_->expires_after(within_total(std::max(rest, std::chrono::milliseconds(0))));
    const auto [error] = co_await client_->input().async_wait(as_result);
    check_turn(error, until);
  }
  client_->expires_never();
  co_return !failure_;
}

void Exchange::check_turn(error_code error, EventLoop::Clock::time_point until) {
  if (client_->broken()) return client_failed(Phase::pick, boost::asio::error::connection_reset);
  if (turn_.has_come() || !error) return;
  if (error != boost::asio::error::timed_out) return client_failed(Phase::pick, error);
  if (is_total_over()) return fail(Side::proxy, Phase::pick, error);
  if (worker_.loop.now() >= until) fail(Side::proxy, Phase::pick, {}, Reason::pending_timeout);
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

}  // namespace telltale::proxy
