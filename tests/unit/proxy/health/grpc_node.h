#pragma once

#include "conf/model.h"
#include "tests/unit/proxy/health/h2_server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace telltale::proxy::test {

/// An HTTP/2 server without TLS on a port of its own on the loopback, that answers each request as a script says.
class GrpcNode {
 public:
  GrpcNode(boost::asio::io_context& io, H2Server::Script script, std::size_t preamble_bytes = 0)
      : state_(std::make_shared<State>(io, std::move(script), preamble_bytes)) {
    boost::asio::co_spawn(io, accept(state_), boost::asio::detached);
  }
  ~GrpcNode() {
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
    for (auto& connection : state_->connections) connection->socket.close(ignored);
  }

  conf::Address address() const {
    return {net::IpPort{net::IpAddress::v4(127, 0, 0, 1), state_->acceptor.local_endpoint().port()}, {}};
  }
  void set_script(H2Server::Script script) { state_->script = std::move(script); }
  std::size_t connections() const { return state_->connections.size(); }
  std::size_t requests() const { return state_->requests; }
  const H2Request& last_request() const { return state_->last_request; }
  const std::string& preamble() const { return state_->preamble; }

  /// Closes the connections there are; new ones are accepted.
  void drop_connections() {
    boost::system::error_code ignored;
    for (auto& connection : state_->connections) connection->socket.close(ignored);
  }
  /// Says on each connection that it takes no more requests, and leaves it open.
  void go_away() {
    for (auto& connection : state_->connections) {
      connection->server.go_away();
      flush(*connection);
    }
  }
  void ping() {
    for (auto& connection : state_->connections) {
      connection->server.ping();
      flush(*connection);
    }
  }
  std::size_t pongs() const {
    std::size_t all = 0;
    for (const auto& connection : state_->connections) all += connection->server.pongs();
    return all;
  }

 private:
  using tcp = boost::asio::ip::tcp;
  struct State;
  struct Connection {
    Connection(tcp::socket s, State& state)
        : socket(std::move(s)), server([&state](const H2Request& request) {
            ++state.requests;
            state.last_request = request;
            return state.script(request);
          }) {}
    tcp::socket socket;
    H2Server server;
  };
  struct State {
    State(boost::asio::io_context& i, H2Server::Script s, std::size_t p)
        : io(i),
          acceptor(i, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
          script(std::move(s)),
          preamble_bytes(p) {}
    boost::asio::io_context& io;
    tcp::acceptor acceptor;
    H2Server::Script script;
    std::size_t preamble_bytes;
    std::size_t requests = 0;
    H2Request last_request;
    std::string preamble;
    std::vector<std::shared_ptr<Connection>> connections;
  };

  /// What a server says is small: the kernel takes it at once.
  static void flush(Connection& connection) {
    boost::system::error_code ignored;
    boost::asio::write(connection.socket, boost::asio::buffer(connection.server.output()), ignored);
  }

  static boost::asio::awaitable<void> accept(std::shared_ptr<State> state) {
    for (;;) {
      auto [error, socket] = co_await state->acceptor.async_accept(boost::asio::as_tuple(boost::asio::use_awaitable));
      if (error) co_return;
      state->connections.push_back(std::make_shared<Connection>(std::move(socket), *state));
      boost::asio::co_spawn(state->io, serve(state, state->connections.back()), boost::asio::detached);
    }
  }

  static boost::asio::awaitable<void> serve(std::shared_ptr<State> state, std::shared_ptr<Connection> connection) {
    constexpr auto token = boost::asio::as_tuple(boost::asio::use_awaitable);
    state->preamble.resize(state->preamble_bytes);
    co_await boost::asio::async_read(connection->socket, boost::asio::buffer(state->preamble), token);
    for (;;) {
      char octets[4096];
      const auto [error, size] = co_await connection->socket.async_read_some(boost::asio::buffer(octets), token);
      if (error) co_return;
      connection->server.feed({octets, size});
      flush(*connection);
    }
  }

  std::shared_ptr<State> state_;
};

}  // namespace telltale::proxy::test
