#include "proxy/health/health_ports.h"

#include "proxy/observe/local_server.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <spdlog/spdlog.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace telltale::proxy {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using proxy_protocol::Parser;

constexpr std::size_t max_connections = 32;
constexpr std::uint32_t max_head_bytes = 16 * 1024;
constexpr std::uint64_t max_body_bytes = 16 * 1024;
constexpr std::size_t first_read_bytes = 512;  // what an idle connection holds; most probes are shorter
constexpr auto request_timeout = std::chrono::seconds(10);
constexpr auto response_timeout = std::chrono::seconds(10);
constexpr auto idle_timeout = std::chrono::minutes(10);
constexpr unsigned no_unix_mode = 0;  // these are IP addresses

/// As Go's server says it.
std::string refusal(std::string_view status) {
  return "HTTP/1.1 " + std::string(status) +
         "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" + std::string(status);
}
constexpr std::string_view bad_request = "400 Bad Request";
constexpr std::string_view no_host = "400 Bad Request: missing required Host header";
constexpr std::string_view head_too_large = "431 Request Header Fields Too Large";

/// One request, as far as it matters.
struct Heard {
  std::string_view refused;  ///< a status; empty: it is right
  bool gone = false;         ///< nobody is there to be answered
  HealthRequest request;
};

asio::awaitable<Heard> hear(LocalStream& stream, beast::flat_buffer& buffer) {
  Heard heard;
  http::request_parser<http::string_body> parser;
  parser.header_limit(max_head_bytes);
  parser.body_limit(boost::none);  // the head decides what becomes of it
  error_code error;
  co_await http::async_read_header(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, error));
  if (error) {
    heard.gone = error.category() != make_error_code(http::error::bad_method).category() ||
                 error == http::error::end_of_stream || error == http::error::partial_message;
    heard.refused =
        error == http::error::header_limit || error == http::error::buffer_overflow ? head_too_large : bad_request;
    co_return heard;
  }
  const auto& head = parser.get();
  heard.request = {head.version() == 10 ? 0U : 1U, parser.keep_alive(), head.method() == http::verb::head};
  if (head.version() > 10 && head.count(http::field::host) != 1) {
    heard.refused = head.count(http::field::host) == 0 ? no_host : bad_request;
    co_return heard;
  }
  // Nobody wants the body; one that is long, or waits for a word from us, is not waited for.
  if (head.count(http::field::expect) == 0 && parser.content_length().value_or(0) <= max_body_bytes) {
    parser.body_limit(max_body_bytes);
    co_await http::async_read(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, error));
  }
  if (!parser.is_done()) heard.request.keep_alive = false;
  heard.gone = error && error != http::error::body_limit;
  co_return heard;
}

}  // namespace

std::size_t local_endpoints(const Directory& directory, std::size_t service) {
  const Service& of = *directory.services()[service];
  return count_local(of.conf(), of.set(), directory.location(), directory.reason(service, TrafficKind::external));
}

struct HealthPorts::Port {
  explicit Port(NodeHealth h) : health(std::move(h)) {}

  static asio::awaitable<void> serve(std::shared_ptr<Port> self, LocalStream& stream);

  asio::awaitable<bool> write(LocalStream& stream, std::string octets) {
    error_code error;
    stream.expires_after(response_timeout);
    co_await asio::async_write(stream, asio::buffer(octets), asio::redirect_error(asio::use_awaitable, error));
    co_return !error;
  }

  NodeHealth health;
  std::shared_ptr<LocalServer> server;
};

asio::awaitable<void> HealthPorts::Port::serve(std::shared_ptr<Port> self, LocalStream& stream) {
  beast::flat_buffer buffer(max_head_bytes + max_body_bytes);
  Parser proxy_header;
  stream.expires_after(request_timeout);
  const auto status = co_await read_proxy_header(stream, buffer, proxy_header);
  if (!status) co_return;
  if (*status == Parser::Status::failed) {
    co_await self->write(stream, refusal(bad_request));
    co_return;
  }
  for (bool keep_alive = true; keep_alive;) {
    const Heard heard = co_await hear(stream, buffer);
    if (heard.gone || self->server->stopped()) co_return;
    std::string response = heard.refused.empty()
                               ? health_response(self->health, heard.request, std::chrono::system_clock::now())
                               : refusal(heard.refused);
    const bool taken = co_await self->write(stream, std::move(response));
    keep_alive = taken && heard.refused.empty() && heard.request.keep_alive;
    if (!keep_alive || self->server->stopped()) co_return;
    if (buffer.size() == 0) {
      error_code error;
      stream.expires_after(idle_timeout);
      buffer.commit(co_await stream.async_read_some(buffer.prepare(first_read_bytes),
                                                    asio::redirect_error(asio::use_awaitable, error)));
      if (error || self->server->stopped()) co_return;
    }
    stream.expires_after(request_timeout);
  }
}

HealthPorts::HealthPorts(asio::io_context& io, std::span<const std::shared_ptr<Service>> services) {
  for (const auto& service : services) {
    auto& port = ports_.emplace_back();
    const auto& address = service->conf().health_check_node_port;
    if (!address) continue;
    port = std::make_shared<Port>(node_health_of(service->name()));
    port->health.proxy_healthy = false;
    try {
      port->server = LocalServer::start(
          io, *address, no_unix_mode, max_connections,
          [port](LocalStream& stream) { return Port::serve(port, stream); }, LocalServer::WhenFull::close_oldest);
    } catch (...) {
      stop();
      throw;
    }
    spdlog::info("health check node port on {} (service {})", port->server->address().to_string(), service->name());
  }
}

HealthPorts::~HealthPorts() { stop(); }

void HealthPorts::set_local_endpoints(std::size_t service, std::size_t count) {
  if (ports_[service] != nullptr) ports_[service]->health.local_endpoints = count;
}

void HealthPorts::set_proxy_healthy(bool healthy) {
  for (const auto& port : ports_) {
    if (port != nullptr) port->health.proxy_healthy = healthy;
  }
}

void HealthPorts::stop() {
  for (const auto& port : ports_) {
    if (port != nullptr && port->server != nullptr) port->server->stop();
  }
}

const conf::Address* HealthPorts::address(std::size_t service) const {
  return ports_[service] == nullptr ? nullptr : &ports_[service]->server->address();
}

}  // namespace telltale::proxy
