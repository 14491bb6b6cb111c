#pragma once

#include "conf/model.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <future>
#include <string>
#include <string_view>
#include <sys/time.h>
#include <thread>
#include <utility>

namespace telltale::proxy::test {

/// An io_context that a thread of its own runs.
class RunningContext {
 public:
  ~RunningContext() {
    io_.stop();
    thread_.join();
  }
  boost::asio::io_context& io() { return io_; }
  /// Runs `f` on the thread and waits for it.
  template <class F>
  void run(F f) {
    std::promise<void> done;
    boost::asio::post(io_, [&] {
      f();
      done.set_value();
    });
    done.get_future().wait();
  }

 private:
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  std::thread thread_{[this] { io_.run(); }};
};

/// A blocking client that sees octets. Waits 10 s at most.
class Client {
 public:
  explicit Client(const conf::Address& address) : socket_(io_) {
    namespace asio = boost::asio;
    if (address.ip) {
      const auto host = asio::ip::make_address(address.ip->address.to_string());
      socket_.connect(asio::ip::tcp::endpoint(host, address.ip->port));
    } else {
      socket_.connect(asio::local::stream_protocol::endpoint(address.unix_path));
    }
    const timeval patience{10, 0};
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }

  Client& send(std::string_view octets) {
    boost::asio::write(socket_, boost::asio::buffer(octets));
    return *this;
  }
  Client& finish() {
    socket_.shutdown(boost::asio::socket_base::shutdown_send);
    return *this;
  }

  /// One response, by its Content-Length; `head_only` for the answer to HEAD and for interim ones.
  std::string receive(bool head_only = false) {
    while (received_.find("\r\n\r\n") == std::string::npos) {
      if (!receive_some()) return std::exchange(received_, {});
    }
    std::size_t size = received_.find("\r\n\r\n") + 4;
    const std::size_t field = received_.find("Content-Length: ");
    if (!head_only && field < size) size += std::stoul(received_.substr(field + 16));
    while (received_.size() < size) {
      if (!receive_some()) break;
    }
    std::string response = received_.substr(0, size);
    received_.erase(0, size);
    return response;
  }

  /// Everything until the server closes.
  std::string receive_all() {
    while (receive_some()) {
    }
    return std::exchange(received_, {});
  }

  boost::asio::generic::stream_protocol::socket& socket() { return socket_; }

 private:
  bool receive_some() {
    // recv(2): Asio would wait for ever in poll(2), whatever SO_RCVTIMEO says.
    char chunk[16384];
    const ssize_t size = ::recv(socket_.native_handle(), chunk, sizeof chunk, 0);
    if (size <= 0) return false;
    received_.append(chunk, static_cast<std::size_t>(size));
    return true;
  }

  boost::asio::io_context io_;
  boost::asio::generic::stream_protocol::socket socket_;
  std::string received_;
};

inline std::string body_of(const std::string& response) {
  const std::size_t end = response.find("\r\n\r\n");
  return end == std::string::npos ? "" : response.substr(end + 4);
}
inline std::string status_line(const std::string& response) { return response.substr(0, response.find("\r\n")); }
/// A GET from localhost.
inline std::string get(std::string_view target, std::string_view more = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(more) + "\r\n";
}
inline conf::Address any_port() { return {net::IpPort{net::IpAddress::v4(127, 0, 0, 1), 0}, {}}; }

}  // namespace telltale::proxy::test
