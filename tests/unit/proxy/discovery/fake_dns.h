#pragma once

#include "tests/unit/protocol/dns/message_builder.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace telltale::proxy::test {

/// Runs the loop until the condition holds; fails after a time that only a failing test needs.
template <class Condition>
void run_until(boost::asio::io_context& io, Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "waited in vain";
    io.restart();
    io.run_one_for(std::chrono::milliseconds(100));
  }
}

/// A DNS server over UDP on 127.0.0.1 whose answers a test makes up.
class FakeDns {
 public:
  struct Query {
    std::string name;
    unsigned type = 0;
    std::string id;  // as octets
  };
  /// The whole message, or nothing for silence.
  using Handler = std::function<std::string(const Query&)>;

  FakeDns(boost::asio::io_context& io, Handler handler)
      : socket_(io, {boost::asio::ip::address_v4::loopback(), 0}), handler_(std::move(handler)) {
    receive();
  }
  net::IpPort address() const { return {net::IpAddress::v4(127, 0, 0, 1), socket_.local_endpoint().port()}; }
  const std::vector<Query>& queries() const { return queries_; }
  void close() { socket_.close(); }

  /// `message` as the answer to `query`.
  static std::string reply(const Query& query, dns::test::MessageBuilder message) {
    return query.id + message.text().substr(2);
  }
  static dns::test::MessageBuilder answer(const Query& query, unsigned rcode = 0) {
    return std::move(dns::test::MessageBuilder(rcode).question(query.name, query.type));
  }

 private:
  void receive() {
    socket_.async_receive_from(boost::asio::buffer(octets_), peer_,
                               [this](boost::system::error_code error, std::size_t size) {
                                 if (error) return;
                                 take(std::string_view(octets_.data(), size));
                                 receive();
                               });
  }
  void take(std::string_view message) {
    Query query{.id = std::string(message.substr(0, 2))};
    std::size_t at = 12;
    while (message[at] != 0) {
      const auto length = static_cast<std::size_t>(message[at]);
      query.name += (query.name.empty() ? "" : ".") + std::string(message.substr(at + 1, length));
      at += length + 1;
    }
    query.type = static_cast<unsigned char>(message[at + 2]);
    queries_.push_back(query);
    const std::string text = handler_(query);
    boost::system::error_code ignored;
    if (!text.empty()) socket_.send_to(boost::asio::buffer(text), peer_, 0, ignored);
  }

  boost::asio::ip::udp::socket socket_;
  boost::asio::ip::udp::endpoint peer_;
  std::array<char, 4096> octets_;
  Handler handler_;
  std::vector<Query> queries_;
};

}  // namespace telltale::proxy::test
