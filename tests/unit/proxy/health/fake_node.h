#pragma once

#include "conf/model.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::proxy {

/// A server on a port of its own on the loopback, that says what a script tells it to. For the tests of what probes it.
class FakeNode {
 public:
  enum class Then { keep, close, reset, hang };
  struct Answer {
    std::string octets;
    Then then = Then::keep;
    std::chrono::milliseconds gap{0};  ///< between single octets; 0: all at once
  };
  /// Asked for every request head.
  using Script = std::function<Answer(std::string_view request)>;

  FakeNode(boost::asio::io_context& io, Script script) : state_(std::make_shared<State>(io, std::move(script))) {
    tcp::endpoint any(boost::asio::ip::address_v4::loopback(), 0);
    state_->acceptor.open(any.protocol());
    state_->acceptor.set_option(tcp::acceptor::reuse_address(true));
    state_->acceptor.bind(any);
    state_->acceptor.listen();
    port_ = state_->acceptor.local_endpoint().port();
    boost::asio::co_spawn(io, accept(state_), boost::asio::detached);
  }
  ~FakeNode() { stop(); }

  conf::Address address() const { return {net::IpPort{net::IpAddress::v4(127, 0, 0, 1), port_}, {}}; }
  void set_script(Script script) { state_->script = std::move(script); }
  std::size_t requests() const { return state_->requests; }
  std::size_t connections() const { return state_->received.size(); }
  /// Of those, how many the other end has closed.
  std::size_t closed() const { return state_->closed; }
  /// All that came over the nth connection.
  const std::string& received(std::size_t connection) const { return state_->received.at(connection); }

  /// Closes the connections there are; new ones are accepted.
  void drop_connections() {
    for (auto& socket : state_->sockets) close(*socket, false);
    state_->sockets.clear();
  }
  /// Sends octets that nobody asked for on every connection.
  void blurt(const std::string& octets) {
    for (auto& socket : state_->sockets) boost::asio::write(*socket, boost::asio::buffer(octets));
  }
  /// Refuses from now on.
  void stop() {
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
    drop_connections();
  }

 private:
  using tcp = boost::asio::ip::tcp;
  struct State {
    State(boost::asio::io_context& i, Script s) : io(i), acceptor(i), script(std::move(s)) {}
    boost::asio::io_context& io;
    tcp::acceptor acceptor;
    Script script;
    std::size_t requests = 0, closed = 0;
    std::vector<std::string> received;
    std::vector<std::shared_ptr<tcp::socket>> sockets;
  };

  static void close(tcp::socket& socket, bool reset) {
    boost::system::error_code ignored;
    if (reset) socket.set_option(boost::asio::socket_base::linger(true, 0), ignored);
    socket.close(ignored);
  }

  static boost::asio::awaitable<void> accept(std::shared_ptr<State> state) {
    for (;;) {
      auto [error, socket] = co_await state->acceptor.async_accept(boost::asio::as_tuple(boost::asio::use_awaitable));
      if (error) co_return;
      auto shared = std::make_shared<tcp::socket>(std::move(socket));
      shared->set_option(tcp::no_delay(true));
      state->sockets.push_back(shared);
      state->received.emplace_back();
      boost::asio::co_spawn(state->io, serve(state, shared, state->received.size() - 1), boost::asio::detached);
    }
  }

  static boost::asio::awaitable<void> serve(std::shared_ptr<State> state, std::shared_ptr<tcp::socket> socket,
                                            std::size_t number) {
    constexpr auto token = boost::asio::as_tuple(boost::asio::use_awaitable);
    std::size_t answered = 0;  // octets of requests that were
    for (;;) {
      char octets[4096];
      const auto [error, size] = co_await socket->async_read_some(boost::asio::buffer(octets), token);
      if (error) {
        state->closed += error != boost::asio::error::operation_aborted;
        co_return;
      }
      state->received[number].append(octets, size);
      for (;;) {
        // The signature of a v2 PROXY header has an empty line in it: the end of a head is one after `HTTP/1.1`.
        const std::string& all = state->received[number];
        const auto version = all.find("HTTP/1.1\r\n", answered);
        const auto end = version == std::string::npos ? version : all.find("\r\n\r\n", version);
        if (end == std::string::npos) break;
        const std::string request = all.substr(answered, end + 4 - answered);
        answered = end + 4;
        ++state->requests;
        const Answer answer = state->script(request);
        const std::size_t piece = answer.gap.count() > 0 ? 1 : std::max<std::size_t>(answer.octets.size(), 1);
        for (std::size_t at = 0; at < answer.octets.size(); at += piece) {
          const auto [failed, sent] =
              co_await boost::asio::async_write(*socket, boost::asio::buffer(answer.octets.data() + at, piece), token);
          if (failed) co_return;
          if (answer.gap.count() > 0) {
            boost::asio::steady_timer timer(state->io, answer.gap);
            co_await timer.async_wait(token);
          }
        }
        if (answer.then == Then::hang) continue;
        if (answer.then != Then::keep) {
          close(*socket, answer.then == Then::reset);
          co_return;
        }
      }
    }
  }

  std::shared_ptr<State> state_;
  std::uint16_t port_ = 0;
};

}  // namespace telltale::proxy
