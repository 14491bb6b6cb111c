// How an exchange moves octets: each direction reads only when its last write is done, which is the backpressure.
#include "protocol/http1/serializer.h"
#include "proxy/exchange/exchange.h"
#include "proxy/exchange/upstream_tls.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>

#include <tuple>
#include <utility>

namespace telltale::proxy {

using boost::system::error_code;

/// One try on one connection, from the request's first octet to the response's last.
Awaitable<> Exchange::talk() {
  client_->abort_with(&upstream_.connection().stream.descriptor());
  // No co_await stands behind && or ||: GCC 12 destroys the temporary that a short circuit never made.
  if (connecting_) {
    bool established;
    if (service_->conf().tls) {
      established = co_await secure();
    } else {
      established = co_await establish();
    }
    if (!established) co_return;
  } else {
    stage_request();
    const auto [error] = co_await upstream_.output().async_wait(as_result);
    if (error) upstream_failed(Phase::request_write, error);
  }
  if (!failure_) upload_now();
  if (!failure_ && !request_sent_ && !upload_broken_) {
    pump_running_ = true;
    boost::asio::co_spawn(worker_.loop.get_executor(), pump_request(), boost::asio::detached);
  }
  sent_at_ = worker_.loop.now();
  if (!failure_) expect_response();
  while (!failure_) {
    // Most responses wait here once, and need no coroutine of their own.
    const Wait wait = forward_response();
    if (wait == Wait::none) break;
    if (wait == Wait::turn) {
      const auto [error] = co_await worker_.loop.async_yield(as_result);
      if (error) client_failed(Phase::response_write, error);
      continue;
    }
    const bool for_client = wait == Wait::client;
    if (for_client) client_->expires_after(output_timeout());
    if (for_client && status_ != 0) client_delayed_ = true;
    if (!for_client && status_ != 0) upstream_.expires_after(answer_timeout());
    Readiness& readiness = for_client ? client_->output() : upstream_.input();
    const auto [error] = co_await readiness.async_wait(as_result);
    // Meanwhile the response's time may have passed with nobody waiting for it.
    if (for_client && status_ == 0) time_response();
    if (!error || failure_) continue;  // failure_: the request pump's
    if (for_client) {
      client_failed(Phase::response_write, error);
    } else {
      upstream_failed(response_phase(), error);
    }
  }
  // A tunnel ends when both directions did.
  while (tunnel_ && pump_running_ && !failure_) co_await pump_done_.async_wait(as_result);
  // A response that came before its request's end: the rest of the request is still read, or what the client pipelined
  // behind it would be lost. Not behind an error: there the client was told that the connection closes.
  while (pump_running_ && response_complete_ && !gives_up_request()) co_await pump_done_.async_wait(as_result);
  if (pump_running_) co_await stop_pump();
}

/// Sends the staged head (and PROXY header) on a connection that is still being made. Nothing of the body is taken from
/// the client before, so another endpoint can be tried.
Awaitable<bool> Exchange::establish() {
  stage_request();
  upstream_.expires_after(within_total(timeouts_->connect));
  Progress progress = upstream_.flush();
  if (progress == Progress::blocked && !upstream_.sent_any()) {
    const auto [error] = co_await upstream_.output().async_wait(as_result);
    const error_code refused = error ? error : finish_connect(upstream_.connection().stream);
    if (refused) {
      upstream_failed(Phase::connect, refused);
      co_return false;
    }
    progress = upstream_.flush();
  }
  connect_duration_ = EventLoop::Clock::now() - try_began_;
  if (progress == Progress::failed) {
    upstream_failed(upstream_.sent_any() ? Phase::request_write : Phase::connect, upstream_.write_error());
    co_return false;
  }
  co_return true;
}

/// The same where the service has TLS: the staged PROXY header is all that goes in clear.
Awaitable<bool> Exchange::secure() {
  Stream& stream = upstream_.connection().stream;
  const auto until = worker_.loop.now() + within_total(timeouts_->connect);
  stream.descriptor().set_deadline(until);
  stream.descriptor().clear_writable();  // whether the connection stands is for epoll to tell
  Phase phase = Phase::connect;
  Progress progress = Progress::blocked;
  error_code error;
  while (!error && progress == Progress::blocked) {
    std::tie(error) = co_await upstream_.output().async_wait(as_result);
    if (!error) error = finish_connect(stream);
    if (!error) progress = upstream_.flush();
  }
  if (!error && progress == Progress::failed) error = upstream_.write_error();
  if (!error) {
    phase = Phase::handshake;
    error =
        co_await secure_upstream(stream, worker_, *service_, endpoint_->endpoint, ClientContext::Speaks::http1, until);
  }
  connect_duration_ = EventLoop::Clock::now() - try_began_;
  if (error) {
    upstream_failed(phase, error);
    co_return false;
  }
  stage_request();
  co_return true;
}

/// Sends what is at hand without waiting: for most requests that is all.
void Exchange::upload_now() {
  if (client_->request().body.kind == http1::Framing::none) {
    switch (upstream_.flush()) {
      case Progress::done:
        request_sent_ = true;
        return;
      case Progress::blocked:
        return;
      case Progress::failed:
        upstream_failed(Phase::request_write, upstream_.write_error());
        return;
    }
  }
  // Whatever stops this, a wait or the end, pump_request() goes on from here.
  for (unsigned pieces = 0; pieces < pieces_per_turn && !request_sent_ && !failure_ && !upload_broken_; ++pieces) {
    if (forward_request_piece() != Progress::done) break;
  }
  if (!failure_ && !upload_broken_ && !request_sent_) upstream_.flush();
}

/// One piece from the client to the backend. blocked: on one of the two; has_pending() tells which.
Progress Exchange::forward_request_piece() {
  if (upstream_.has_pending()) {
    const Progress flushed = upstream_.flush();
    if (flushed == Progress::failed) upload_broken_ = true;
    if (flushed != Progress::done) return flushed;
    if (client_->request_complete()) {
      request_sent_ = true;
      return Progress::done;
    }
  }
  BodyPiece piece;
  const Progress got = client_->read_body(piece, upstream_.takes_pipes());
  if (got == Progress::blocked) return got;
  body_touched_ = true;
  if (got == Progress::failed) {
    const error_code error = client_->read_error();
    request_failed(Phase::request_body, error);
    return got;
  }
  if (too_large()) {
    request_failed(Phase::request_body, make_error_code(boost::system::errc::message_size));
    return Progress::failed;
  }
  const Progress put = upstream_.write_body(std::move(piece), piece.last ? request_trailers() : client_->trailers());
  if (put == Progress::failed) upload_broken_ = true;
  if (put == Progress::done && piece.last) request_sent_ = true;
  if (piece.last) note_end(Side::downstream);
  if (upload_broken_) note_end(Side::upstream);
  return put;
}

/// The rest of a request body, beside the response. Spawned by talk(), which waits for its end.
Awaitable<> Exchange::pump_request() {
  unsigned pieces = 0;
  while (!pump_stopping_ && !failure_ && !request_sent_ && !upload_broken_) {
    const Progress progress = forward_request_piece();
    if (progress != Progress::blocked) {
      upstream_.expires_after(answer_timeout());  // the response's time runs from the last octet sent
      if (++pieces % pieces_per_turn != 0) continue;
      const auto [error] = co_await worker_.loop.async_yield(as_result);
      if (error && !failure_) client_failed(Phase::request_body, error);
      continue;
    }
    pieces = 0;
    if (upstream_.has_pending()) {
      upstream_.expires_after(upload_timeout());
      const auto [error] = co_await upstream_.output().async_wait(as_result);
      if (error && !pump_stopping_) upload_broken_ = true;
      continue;
    }
    if (status_ == 0) time_response();
    time_upload();
    const auto [error] = co_await client_->input().async_wait(as_result);
    if (error && !pump_stopping_) request_failed(Phase::request_body, error);
  }
  // A client that failed has no use for a response: wake talk() if it waits for one. It then waits in stop_pump().
  if (failure_ && upstream_.is_open()) upstream_.input().fail(boost::asio::error::operation_aborted);
  pump_running_ = false;
  pump_done_.signal();  // the last touch: whoever wakes may end this exchange
}

Awaitable<> Exchange::stop_pump() {
  pump_stopping_ = true;
  client_->input().fail(boost::asio::error::operation_aborted);
  if (upstream_.is_open()) upstream_.output().fail(boost::asio::error::operation_aborted);
  // It may not have begun yet: it was posted.
  while (pump_running_) co_await pump_done_.async_wait(as_result);
}

void Exchange::expect_response() {
  const auto& request = client_->request();
  upstream_.expect_response(response_, connection_->listener->limits.head, {request.method, request.wants_upgrade});
  time_response();
}

Phase Exchange::response_phase() const { return status_ == 0 ? Phase::response_head : Phase::response_body; }

/// Moves what there is of the response: heads, then the body, a piece only when the client took the last one. Tells
/// what to wait for before the next call; none: it is complete, or failure_ says why not.
Exchange::Wait Exchange::forward_response() {
  // Heads do not count, and are few: what came behind one is only lent, so it must be read before anybody has a turn.
  for (unsigned pieces = 0;;) {
    if (pieces == pieces_per_turn) return Wait::turn;
    if (client_full_ && !flush_client()) break;
    if (response_read_) {
      response_complete_ = true;
      return Wait::none;
    }
    if (status_ != 0) ++pieces;
    const Progress got = status_ == 0 ? forward_head() : forward_body();
    // What is staged must not wait for what is not there yet.
    if (got == Progress::blocked && flush_client()) return Wait::backend;
    if (failure_ || client_full_) break;
  }
  return failure_ ? Wait::none : Wait::client;
}

/// An interim head is staged for the client; the final one settles what follows.
Progress Exchange::forward_head() {
  const Progress got = upstream_.read_head();
  if (got == Progress::failed) upstream_failed(Phase::response_head, upstream_.read_error());
  if (got != Progress::done) return got;
  if (!response_.interim()) {
    head_at_ = worker_.loop.now();
    if (retries_->statuses.empty() || !drops_response()) stage_response();
  } else if (++interim_heads_ > max_interim_heads) {
    upstream_failed(Phase::response_head, make_error_code(boost::system::errc::protocol_error));
  } else {
    client_->stage_interim(response_);
    if (response_.status == 100 && awaits_continue()) {
      continued_ = true;
      time_upload();
    }
    expect_response();
  }
  return got;
}

Progress Exchange::forward_body() {
  BodyPiece piece;
  const Progress got = upstream_.read_body(piece, client_->takes_pipes());
  if (got == Progress::failed) upstream_failed(Phase::response_body, upstream_.read_error());
  if (got != Progress::done) return got;
  const Progress put = client_->write_body(std::move(piece), upstream_.trailers());
  client_full_ = put == Progress::blocked;
  if (put == Progress::failed) client_failed(Phase::response_write, client_->write_error());
  response_read_ = piece.last;
  if (piece.last) note_end(Side::upstream);
  if (tunnel_) client_->expires_after(timeouts_->idle);
  return got;
}

void Exchange::note_end(Side side) {
  if (tunnel_ && tunnel_end_ == Side::none) tunnel_end_ = side;
}

/// Whether the client took all that was staged or kept; else client_full_ or failure_ is set.
bool Exchange::flush_client() {
  const Progress put = client_->flush();
  const bool was_full = std::exchange(client_full_, put == Progress::blocked);
  // One deadline for both directions: the pump that waits for the client gets its own back.
  if (was_full && put == Progress::done && pump_running_) time_upload();
  if (put == Progress::failed) client_failed(Phase::response_write, client_->write_error());
  return put == Progress::done;
}

void Exchange::stage_response() {
  retry_permit_.release();  // it was good for something: whatever it becomes, a tunnel even, is no retry any more
  status_ = response_.status;
  tunnel_ = response_.status == 101;
  if (pump_running_) time_upload();  // a client that waited for a 100 waits no longer; a tunnel has a time of its own
  if (!tunnel_) {
    upstream_.start_body(
        response_, client_->takes_chunks() ? Http1BodyReader::Chunks::verbatim : Http1BodyReader::Chunks::decoded);
  }
  client_->stage_response({.status = response_.status,
                           .reason = response_.reason,
                           .fields = &response_.fields,
                           .extra_fields = {},
                           .hsts = connection_->snapshot->hsts[connection_->listener_index],
                           .body = response_.body,
                           .keep_alive = keep_alive() && !gives_up_request(),
                           .close_follows = request_sent_});
  if (!tunnel_) return;
  service_->succeeded(*endpoint_);  // what becomes of a tunnel is for its two ends to judge
  deadline_ = never;                // timeouts.total is for exchanges that are to end
  upstream_.become_tunnel();
  client_->become_tunnel();
  request_sent_ = upload_broken_ = false;
  if (!pump_running_) {
    pump_running_ = true;
    boost::asio::co_spawn(worker_.loop.get_executor(), pump_request(), boost::asio::detached);
  }
}

/// Answers with reply_.
Awaitable<> Exchange::send_reply() {
  const LocalReply& reply = *reply_;
  // What is left of the request and at hand is read, so that the connection can go on; the rest is not waited for.
  BodyPiece piece;
  bool more = failure_.side != Side::downstream && !client_->request_complete();
  for (unsigned pieces = 0; more && pieces < pieces_per_turn; ++pieces) {
    more = client_->read_body(piece, Pipes::no) == Progress::done && !piece.last && !too_large();
  }
  status_ = reply.status;
  client_->stage_response({.status = reply.status,
                           .reason = {},
                           .fields = nullptr,
                           .extra_fields = reply.fields,
                           .hsts = connection_->snapshot->hsts[connection_->listener_index],
                           .body = {http1::Framing::content_length, reply.body.size()},
                           .keep_alive = keep_alive() && client_->request_complete(),
                           .close_follows = true});
  const bool bodiless = client_->request().method == http1::Method::head || reply.status == 204 || reply.status == 304;
  BodyPiece body{.octets = bodiless ? std::string_view() : std::string_view(reply.body), .last = true};
  Progress put = client_->write_body(std::move(body), {});
  while (put == Progress::blocked) {
    client_->expires_after(connection_->listener->timeouts.write);
    const auto [error] = co_await client_->output().async_wait(as_result);
    if (error) {
      client_failed(Phase::response_write, error);
      co_return;
    }
    put = client_->flush();
  }
  if (put == Progress::failed) client_failed(Phase::response_write, client_->write_error());
  response_complete_ = put == Progress::done;
}

}  // namespace telltale::proxy
