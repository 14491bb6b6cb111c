#include "proxy/downstream/listener.h"

#include "proxy/downstream/client_hello_phase.h"
#include "proxy/downstream/proxy_headers.h"
#include "proxy/downstream/proxy_phase.h"
#include "proxy/downstream/tcp_session.h"
#include "proxy/downstream/tls_phase.h"
#include "proxy/net/socket_address.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <sys/socket.h>
#include <system_error>

namespace telltale::proxy {
namespace {

constexpr int full_turns_to_grow = 8;
constexpr std::chrono::milliseconds exhausted_pause{100};  // of descriptors or memory
constexpr std::chrono::seconds complaint_interval{10};

Awaitable<> run_connection(std::unique_ptr<Connection> connection, Http1TransactionPool& transactions) {
  const auto& rule = proxy_rule_for(connection->context().listener->client_ip, connection->context().peer.socket_peer);
  if (rule.policy != conf::ProxyPolicy::forbid) {
    const bool go_on = co_await read_proxy_headers(*connection, rule);
    if (!go_on) co_return;
  }
  if (!connection->count_client()) {
    connection->context().metrics->connections_refused.add();
    co_return;
  }
  if (connection->context().listener->tls) {
    const bool go_on = co_await accept_tls(*connection);
    if (!go_on) co_return;
  }
  if (connection->context().listener->protocol == conf::Protocol::http) {
    co_await serve_http1(*connection, transactions);
  } else if (connection->context().listener->peeks()) {
    const PeekedHello peeked = co_await peek_client_hello(*connection);
    if (peeked.go_on) co_await serve_tcp(*connection, peeked.complaint);
  } else {
    co_await serve_tcp(*connection);
  }
}

/// The one place where an exception of a connection ends: peers cause none, so it is a bug or no memory.
void log_exception(const std::exception_ptr& exception) {
  if (!exception) return;
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    spdlog::error("a connection ended with an exception: {}", error.what());
  }
}

}  // namespace

Listener::Listener(ConnectionTable& table, Http1TransactionPool& transactions, ConnectionContext context,
                   UniqueFd socket, conf::Address address)
    : table_(table),
      transactions_(transactions),
      context_(std::move(context)),
      address_(std::move(address)),
      socket_(Descriptor::open_listener(table.worker().loop, std::move(socket),
                                        address_.ip ? Descriptor::Sharing::own : Descriptor::Sharing::shared)) {
  if (socket_ == nullptr) throw std::system_error(errno, std::system_category(), "epoll_ctl");
}

void Listener::stop() {
  // Who is in the backlog already gets served: closing the socket would reset them.
  while (socket_ != nullptr && !paused_ && accept_one() == Accepted::yes) {
  }
  socket_.reset();
}

void Listener::start() {
  for (const conf::Route& route : context_.listener->routes) {
    if (route.service) follow(*route.service);
  }
  boost::asio::co_spawn(table_.worker().loop.get_executor(), accept_loop(), log_exception);
}

void Listener::follow(std::size_t service) {
  const conf::Listener& listener = *context_.listener;
  // A Unix socket cannot be listened on again: there connections are accepted and ended.
  if (listener.protocol != conf::Protocol::tcp || !address_.ip) return;
  if (std::ranges::find(listener.routes, service, &conf::Route::service) == listener.routes.end()) return;
  const auto traffic = listener.internal ? TrafficKind::internal : TrafficKind::external;
  const bool wanted = std::ranges::none_of(listener.routes, [&](const conf::Route& route) {
    return table_.worker().services[*route.service]->may_serve(traffic);
  });
  if (wanted == paused_ || socket_ == nullptr) return;
  wanted ? pause() : resume();
}

void Listener::pause() {
  paused_ = true;
  refuse_connections(socket_->fd());
  socket_->wake();
}

void Listener::resume() {
  if (!accept_connections(socket_->fd())) {
    spdlog::error("listener {}: cannot listen again: {}", context_.listener->name,
                  std::system_category().message(errno));
    return;
  }
  paused_ = false;
  socket_->wake();
}

void Listener::use(std::shared_ptr<const Snapshot> snapshot) {
  context_.listener = &snapshot->model->listeners[context_.listener_index];
  context_.snapshot = std::move(snapshot);
}

/// An accept() that finds nobody costs the kernel about as much as one that does, so one connection is taken for each
/// event, and more only while there always were more.
Awaitable<> Listener::accept_loop() {
  for (int budget = 1, full_turns = 0; socket_ != nullptr;) {
    if (paused_) {
      const auto [error] = co_await socket_->async_deadline(as_result);
      if (error == boost::asio::error::operation_aborted) co_return;
      continue;
    }
    Accepted accepted = Accepted::yes;
    int count = 0;
    while (accepted == Accepted::yes && count < budget) {
      accepted = accept_one();
      if (accepted == Accepted::yes) ++count;
    }
    if (accepted == Accepted::nobody) {
      budget = std::max(count, 1);
      full_turns = 0;
    } else if (++full_turns == full_turns_to_grow) {
      budget = std::min(2 * budget, accepts_per_event);
      full_turns = 0;
    }
    if (accepted == Accepted::exhausted) {
      socket_->set_deadline(table_.worker().loop.now() + exhausted_pause);
      const auto [error] = co_await socket_->async_deadline(as_result);
      if (error == boost::asio::error::operation_aborted) co_return;
    }
    socket_->clear_readable();  // level-triggered: told again if somebody is left
    const auto [error] = co_await socket_->async_readable(as_result);
    if (error == boost::asio::error::operation_aborted) co_return;
  }
}

Listener::Accepted Listener::accept_one() {
  SocketAddress peer;
  UniqueFd socket(::accept4(socket_->fd(), peer.data(), peer.size_out(), SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (socket) {
    serve(std::move(socket), peer);
    return Accepted::yes;
  }
  switch (errno) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      complain(errno);
      return Accepted::exhausted;
    case EAGAIN:
      return Accepted::nobody;
    default:
      return Accepted::yes;  // that one connection went wrong (ECONNABORTED, EPROTO …)
  }
}

/// The connection stays in the backlog: it is looked at again soon. Not each time is worth a line in the log.
void Listener::complain(int error) {
  const auto now = table_.worker().loop.now();
  if (complained_at_ != EventLoop::Clock::time_point{} && now - complained_at_ < complaint_interval) return;
  complained_at_ = now;
  spdlog::warn("listener {}: cannot accept: {}", context_.listener->name, std::system_category().message(error));
}

void Listener::serve(UniqueFd socket, const SocketAddress& peer) {
  auto& metrics = *context_.metrics;
  const std::size_t limit = context_.listener->limits.max_connections;
  if ((limit != 0 && context_.listener_connections->load(std::memory_order_relaxed) >= limit) || !table_.admit()) {
    metrics.connections_refused.add();
    return;
  }
  metrics.connections_accepted.add();
  ConnectionContext context = context_;
  context.number = table_.worker().next_connection_number++;
  context.peer.socket_peer = peer.ip_port();
  if (address_.ip) {
    context.peer.socket_local = address_.ip;
    if (address_.ip->address.is_unspecified()) {
      SocketAddress local;
      ::getsockname(socket.get(), local.data(), local.size_out());
      context.peer.socket_local = local.ip_port();
    }
  }
  auto descriptor = Descriptor::open(table_.worker().loop, std::move(socket), Descriptor::Initially::ready);
  if (descriptor == nullptr) return;
  auto connection = std::make_unique<Connection>(table_, std::move(context), std::move(descriptor));
  boost::asio::co_spawn(table_.worker().loop.get_executor(), run_connection(std::move(connection), transactions_),
                        log_exception);
}

}  // namespace telltale::proxy
