#include "proxy/downstream/tcp_relay.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <utility>

namespace telltale::proxy {
namespace {

using boost::system::error_code;

/// Then whoever else is ready has a turn. A piece counts as a scratch buffer full at least.
constexpr std::size_t octets_per_turn = 16 * EventLoop::scratch_size;

}  // namespace

TcpRelay::TcpRelay(EventLoop& loop, Stream& client, Stream& backend, std::chrono::milliseconds idle)
    : loop_(loop),
      idle_(idle),
      pipes_(client.tls() == nullptr && backend.tls() == nullptr ? &PipePool::of(loop) : nullptr),
      down_{.from_side = Side::upstream, .to_side = Side::downstream, .from = backend, .to = client},
      up_{.from_side = Side::downstream, .to_side = Side::upstream, .from = client, .to = backend} {}

Awaitable<> TcpRelay::run() {
  touch();
  moves_back_ = true;
  boost::asio::co_spawn(loop_.get_executor(), move_back(), boost::asio::detached);
  co_await move(up_);
  while (moves_back_) co_await moved_back_.async_wait(as_result);
}

Awaitable<> TcpRelay::move_back() {
  co_await move(down_);
  moves_back_ = false;
  moved_back_.signal();  // the last touch: whoever wakes may end the session
}

/// Until its side ends, or anything fails.
Awaitable<> TcpRelay::move(Way& way) {
  std::size_t left_of_turn = octets_per_turn;
  while (!failure_) {
    const Next next = move_piece(way, left_of_turn);
    if (next == Next::piece) continue;
    if (next == Next::end) break;
    left_of_turn = octets_per_turn;
    if (next == Next::turn) {
      const auto [error] = co_await loop_.async_yield(as_result);
      if (error) fail(Side::proxy, Phase::response_write, error);
    } else if (next == Next::input) {
      const auto [error] = co_await way.from.async_readable(as_result);
      if (error) wait_failed(way.from_side, Phase::response_body, error);
    } else {
      const auto [error] = co_await way.to.async_writable(as_result);
      if (error) wait_failed(way.to_side, Phase::response_write, error);
    }
  }
  way.pipe.reset();
}

/// What there is now, a piece of it: from the sender to where it has to wait for the receiver.
TcpRelay::Next TcpRelay::move_piece(Way& way, std::size_t& left_of_turn) {
  const std::uint64_t before = way.octets;
  const bool by_pipe = way.pipe != nullptr || (way.bulk.is_bulk() && pipes_ != nullptr && !way.from.has_unread());
  const Next next = by_pipe ? splice(way) : copy(way);
  if (next != Next::piece) return next;
  const std::size_t cost = std::max<std::size_t>(way.octets - before, EventLoop::scratch_size);
  if (cost >= left_of_turn) return Next::turn;
  left_of_turn -= cost;
  return Next::piece;
}

TcpRelay::Next TcpRelay::copy(Way& way) {
  const bool is_new = !way.from.has_unread();
  const ReadResult got = way.from.read();
  if (got.error) return no_input(way, got.error);
  if (is_new) way.bulk.copied(got.octets.size());
  const IoResult put = way.to.write(got.octets);
  way.from.unread(got.octets.substr(put.size));
  return moved(way, put, got.octets.size() - put.size);
}

TcpRelay::Next TcpRelay::splice(Way& way) {
  PipePool::Lease pipe = way.pipe ? std::move(way.pipe) : pipes_->take();
  if (!pipe) return copy(way);
  if (pipe->size() == 0) {
    const IoResult got = pipe->fill(way.from);
    if (got.error == boost::system::errc::invalid_argument) {  // a socket that is not for it
      pipes_ = nullptr;
      return copy(way);
    }
    if (got.error) {
      way.bulk.paused();
      return no_input(way, got.error);
    }
    way.bulk.piped(got.size);
  }
  const IoResult put = pipe->drain(way.to);
  const std::size_t rest = pipe->size();
  if (rest > 0) way.pipe = std::move(pipe);
  return moved(way, put, rest);
}

TcpRelay::Next TcpRelay::no_input(Way& way, error_code error) {
  if (error == boost::asio::error::would_block) return Next::input;
  if (error == boost::asio::error::eof) {
    if (ended_by_ == Side::none) ended_by_ = way.from_side;
    way.to.shutdown_write();
  } else {
    fail(way.from_side, Phase::response_body, error);
  }
  return Next::end;
}

/// `rest`: octets of the piece that the receiver did not take.
TcpRelay::Next TcpRelay::moved(Way& way, const IoResult& put, std::size_t rest) {
  way.octets += put.size;
  if (put.size > 0) touch();
  if (put.error && put.error != boost::asio::error::would_block) {
    fail(way.to_side, Phase::response_write, put.error);
    return Next::end;
  }
  return rest > 0 ? Next::output : Next::piece;
}

/// A move in either direction is a sign of life of the whole.
void TcpRelay::touch() {
  if (std::exchange(touched_at_, loop_.now()) == loop_.now()) return;
  up_.from.expires_after(idle_);
  down_.from.expires_after(idle_);
}

/// Both sides have the same deadline: which of them tells first says nothing.
void TcpRelay::wait_failed(Side side, Phase phase, error_code error) {
  if (error != boost::asio::error::timed_out) return fail(side, phase, error);
  if (ended_by_ == Side::none) ended_by_ = Side::proxy;
  fail(Side::upstream, Phase::response_body, error, Reason::idle_timeout);
}

/// The first cause stands; whoever waits is woken and finds it.
void TcpRelay::fail(Side side, Phase phase, error_code error, Reason reason) {
  if (failure_) return;
  failure_ = {error, side, phase, reason};
  if (ended_by_ == Side::none) ended_by_ = error == boost::asio::error::operation_aborted ? Side::proxy : side;
  for (Stream* stream : {&up_.from, &down_.from}) {
    if (!stream->is_open()) continue;
    stream->descriptor().input().fail(boost::asio::error::operation_aborted);
    if (stream->is_open()) stream->descriptor().output().fail(boost::asio::error::operation_aborted);
  }
}

}  // namespace telltale::proxy
