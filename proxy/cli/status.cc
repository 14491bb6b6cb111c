#include "proxy/cli/status.h"

#include "protocol/net/ip_address.h"
#include "proxy/cli/exit_codes.h"
#include "proxy/net/socket_address.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <chrono>
#include <iostream>

namespace telltale::proxy {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Protocol = asio::generic::stream_protocol;

constexpr std::chrono::seconds timeout{3};
constexpr std::string_view unix_prefix = "unix:";

/// One GET, asynchronous because only so can Beast give it a deadline.
class Query {
 public:
  Query(asio::io_context& io, const SocketAddress& address) : stream_(io) {
    request_ = {beast::http::verb::get, "/readyz", 11};
    request_.set(beast::http::field::host, "localhost");
    stream_.expires_after(timeout);
    stream_.async_connect(Protocol::endpoint(address.data(), address.size()), [this](beast::error_code e) {
      if (!failed(e)) write();
    });
  }
  beast::error_code error;
  beast::http::response<beast::http::string_body> response;

 private:
  bool failed(beast::error_code e) {
    error = e;
    return static_cast<bool>(e);
  }
  void write() {
    beast::http::async_write(stream_, request_, [this](beast::error_code e, std::size_t) {
      if (!failed(e)) read();
    });
  }
  void read() {
    beast::http::async_read(stream_, buffer_, response, [this](beast::error_code e, std::size_t) { failed(e); });
  }

  beast::basic_stream<Protocol> stream_;
  beast::flat_buffer buffer_;
  beast::http::request<beast::http::empty_body> request_;
};

}  // namespace

int run_status(const StatusOptions& options) {
  conf::Address address;
  if (std::string_view(options.admin).starts_with(unix_prefix)) {
    address.unix_path = options.admin.substr(unix_prefix.size());
  } else {
    address.ip = net::parse_ip_port(options.admin);
    if (!address.ip) {
      std::cerr << "telltale status: \"" << options.admin << "\" is not host:port, [v6]:port or unix:/path\n";
      return exit_usage;
    }
  }
  asio::io_context io;
  Query query(io, SocketAddress(address));
  io.run();
  if (query.error) {
    std::cerr << "telltale status: " << options.admin << ": " << query.error.message() << "\n";
    return 1;
  }
  std::cout << query.response.body();
  return query.response.result() == beast::http::status::ok ? exit_ok : 1;
}

}  // namespace telltale::proxy
