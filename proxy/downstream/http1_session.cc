#include "proxy/downstream/http1_session.h"

#include "proxy/downstream/connection.h"
#include "proxy/downstream/linger.h"
#include "proxy/downstream/proxy_headers.h"
#include "proxy/downstream/proxy_phase.h"
#include "proxy/downstream/source_watch.h"

#include <boost/asio/error.hpp>

namespace telltale::proxy {
namespace {

using boost::system::error_code;

// Requests that came together and that nothing had to be waited for; then the other connections have their turn.
constexpr unsigned requests_per_turn = 32;

/// Answers a head that is wrong or late.
Awaitable<> refuse(Connection& connection, Http1Transaction& transaction, error_code error) {
  const Failure failure{error, Side::downstream, Phase::request_head};
  co_await transaction.exchange.refuse(transaction.client, connection.context(), failure);
  co_await linger(connection.stream());
}

/// For a head that did not come whole with the first read. False: the connection is to be closed. The deadline is for
/// the head in all, not for each octet (slowloris).
Awaitable<bool> finish_head(Connection& connection, Http1Transaction& transaction, http1::Status status) {
  Stream& stream = connection.stream();
  stream.expires_after(connection.context().listener->timeouts.header);
  while (status != http1::Status::complete) {
    if (status == http1::Status::failed) {
      co_await refuse(connection, transaction, transaction.client.head_error());
      co_return false;
    }
    const ReadResult got = stream.read();
    if (got.error == boost::asio::error::would_block) {
      const auto [error] = co_await stream.async_readable(as_result);
      if (error == boost::asio::error::timed_out) co_await refuse(connection, transaction, error);
      if (error) co_return false;
      continue;
    }
    if (got.error) co_return false;
    status = transaction.client.feed(got.octets);
  }
  co_return true;
}

}  // namespace

Http1TransactionPool::Lease Http1TransactionPool::take() {
  if (free_.empty()) return Lease(new Http1Transaction(worker_), Return{this});
  auto transaction = std::move(free_.back());
  free_.pop_back();
  return Lease(transaction.release(), Return{this});
}

void Http1TransactionPool::give_back(Http1Transaction* transaction) {
  transaction->client.release_memory();
  std::unique_ptr<Http1Transaction> owned(transaction);
  if (free_.size() < max_kept) free_.push_back(std::move(owned));
}

Awaitable<> serve_http1(Connection& connection, Http1TransactionPool& transactions) {
  Stream& stream = connection.stream();
  const auto& listener = *connection.context().listener;
  unsigned served = 0;  // since nothing was there to read
  bool is_counted = false;
  for (bool first = true;;) {
    const ReadResult got = stream.read();
    if (got.error == boost::asio::error::would_block) {
      served = 0;
      if (!first && connection.closes_when_idle()) co_return;
      stream.expires_after(first ? listener.timeouts.header : listener.timeouts.idle);
      connection.begin_idle();
      const auto [error] = co_await stream.async_readable(as_result);
      connection.end_idle();
      if (error) co_return;
      continue;
    }
    if (got.error) co_return;
    if (first && starts_like_proxy_header(got.octets)) {
      stream.unread(got.octets);
      if (!co_await refuse_proxy_header(connection)) co_return;
      first = false;
      continue;
    }
    first = false;

    const auto transaction = transactions.take();
    transaction->client.start(stream, listener.limits.head);
    const http1::Status status = transaction->client.feed(got.octets);
    if (status != http1::Status::complete) {
      const bool whole = co_await finish_head(connection, *transaction, status);
      if (!whole) co_return;
    }

    if (!is_counted) count_source(connection, transaction->client.request());
    is_counted = true;
    const After after = co_await transaction->exchange.run(transaction->client, connection.context());
    if (after == After::keep_alive && !transaction->client.must_close()) {
      if (++served % requests_per_turn != 0) continue;
      const auto [error] = co_await connection.worker().loop.async_yield(as_result);
      if (error) co_return;
      continue;
    }
    if (after == After::cut && transaction->client.ends_with_close()) {
      stream.reset();  // a FIN would end the message: the client must not take what it got for all of it
    } else if (after != After::cut && (!transaction->client.request_complete() || stream.may_have_more())) {
      co_await linger(stream);
    }
    co_return;
  }
}

}  // namespace telltale::proxy
