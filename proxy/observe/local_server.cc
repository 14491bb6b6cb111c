#include "proxy/observe/local_server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <chrono>
#include <exception>
#include <vector>

namespace telltale::proxy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr auto accept_backoff = std::chrono::milliseconds(100);
constexpr auto linger_time = std::chrono::seconds(2);
constexpr std::size_t linger_octets = 1024 * 1024;

void report(const std::exception_ptr& exception) {
  if (!exception) return;
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    spdlog::error("local server: {}", error.what());
  }
}

}  // namespace

std::shared_ptr<LocalServer> LocalServer::start(asio::io_context& io, const conf::Address& address, unsigned unix_mode,
                                                std::size_t max_sessions, Session session, WhenFull when_full) {
  auto server = std::make_shared<LocalServer>(io, address, unix_mode, max_sessions, std::move(session), when_full);
  asio::co_spawn(io, accept_loop(server), report);
  return server;
}

LocalServer::LocalServer(asio::io_context& io, const conf::Address& address, unsigned unix_mode,
                         std::size_t max_sessions, Session session, WhenFull when_full)
    : io_(io),
      acceptor_(io, address, unix_mode),
      backoff_(io),
      max_sessions_(max_sessions),
      session_(std::move(session)),
      when_full_(when_full) {}

void LocalServer::stop() {
  stopped_ = true;
  acceptor_.close();
  backoff_.cancel();
  for (LocalStream* stream : sessions_) stream->close();
  session_ = nullptr;  // whatever it holds may hold us
}

asio::awaitable<void> LocalServer::accept_loop(std::shared_ptr<LocalServer> self) {
  while (!self->stopped_) {
    error_code error;
    StreamSocket socket =
        co_await self->acceptor_.acceptor().async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (self->stopped_) co_return;
    if (!error) {
      self->admit(std::move(socket));
      continue;
    }
    if (error == asio::error::connection_aborted) continue;  // the client's doing
    // Out of descriptors, most likely: the event stays, so that asking again at once would spin.
    self->backoff_.expires_after(accept_backoff);
    co_await self->backoff_.async_wait(asio::redirect_error(asio::use_awaitable, error));
  }
}

void LocalServer::admit(StreamSocket socket) {
  if (sessions_.size() >= max_sessions_) {
    if (when_full_ == WhenFull::refuse) return;
    sessions_.front()->close();  // its coroutine ends by that
    sessions_.pop_front();
  }
  asio::co_spawn(io_, run_session(shared_from_this(), std::move(socket)), report);
}

asio::awaitable<void> LocalServer::run_session(std::shared_ptr<LocalServer> self, StreamSocket socket) {
  LocalStream stream(std::move(socket));
  struct Registration {
    std::list<LocalStream*>& sessions;
    LocalStream* stream;
    Registration(std::list<LocalStream*>& all, LocalStream* mine) : sessions(all), stream(mine) { all.push_back(mine); }
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;
    ~Registration() { sessions.remove(stream); }
  };
  if (self->stopped_) co_return;
  const Registration registration(self->sessions_, &stream);
  co_await self->session_(stream);
  if (!self->stopped_) co_await linger(stream);
}

asio::awaitable<std::optional<proxy_protocol::Parser::Status>> read_proxy_header(LocalStream& stream,
                                                                                 boost::beast::flat_buffer& buffer,
                                                                                 proxy_protocol::Parser& parser) {
  using Status = proxy_protocol::Parser::Status;
  constexpr std::size_t room = 512;
  for (;;) {
    error_code error;
    buffer.commit(
        co_await stream.async_read_some(buffer.prepare(room), asio::redirect_error(asio::use_awaitable, error)));
    if (error) co_return std::nullopt;
    parser.reset();
    // All of it again: a header is small.
    const auto outcome = parser.feed({static_cast<const char*>(buffer.data().data()), buffer.size()});
    if (outcome.status == Status::need_more) continue;
    if (outcome.status == Status::complete) buffer.consume(outcome.consumed);
    co_return outcome.status;
  }
}

asio::awaitable<void> linger(LocalStream& stream) {
  error_code error;
  stream.socket().shutdown(asio::socket_base::shutdown_send, error);
  std::vector<char> scratch(4096);
  stream.expires_after(linger_time);
  for (std::size_t total = 0; !error && total < linger_octets;) {
    total += co_await stream.async_read_some(asio::buffer(scratch), asio::redirect_error(asio::use_awaitable, error));
  }
}

}  // namespace telltale::proxy
