#include "proxy/cli/echo.h"

#include "protocol/proxy_protocol/parser.h"
#include "proxy/cli/exit_codes.h"
#include "proxy/observe/local_server.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <system_error>
#include <utility>

namespace telltale::proxy {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

constexpr std::size_t max_sessions = 1024;
constexpr std::uint32_t max_head_bytes = 64 * 1024;
constexpr std::size_t scratch_bytes = 64 * 1024;
constexpr auto patience = std::chrono::seconds(75);
constexpr unsigned unix_mode = 0660;

using Parser = http::request_parser<http::buffer_body>;
using Response = http::response<http::string_body>;

Response make_response(http::status status, std::string_view type, std::string body) {
  Response response(status, 11);
  response.set(http::field::server, "telltale/" TELLTALE_VERSION);
  response.set(http::field::content_type, type);
  response.body() = std::move(body);
  response.prepare_payload();
  return response;
}

Response text_response(http::status status, std::string body) {
  return make_response(status, "text/plain; charset=utf-8", std::move(body));
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return out;
}

/// Whether there is somebody to be told about it.
bool is_fault_of_request(const error_code& error) {
  return error.category() == make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

/// Everything but the body.
EchoRequest read_head(const http::request<http::buffer_body>& message) {
  EchoRequest request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  request.http_minor = message.version() % 10;
  for (const auto& field : message) {
    request.headers.emplace_back(lower_case(field.name_string()), std::string(field.value()));
  }
  std::stable_sort(request.headers.begin(), request.headers.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  return request;
}

/// One connection's reading and writing; the order of things is in EchoServer::Impl.
struct Connection {
  LocalStream& stream;
  beast::flat_buffer buffer{max_head_bytes + scratch_bytes};
  std::vector<char> scratch;

  asio::awaitable<error_code> read_head_of(Parser& parser) {
    error_code error;
    parser.header_limit(max_head_bytes);
    parser.body_limit(boost::none);
    stream.expires_after(patience);
    co_await http::async_read_header(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, error));
    co_return error;
  }

  /// Reads the body to its end, keeping what is shown of it.
  asio::awaitable<error_code> read_body(Parser& parser, EchoRequest& request) {
    error_code error;
    if (!parser.is_done()) scratch.resize(scratch_bytes);
    while (!parser.is_done()) {
      auto& body = parser.get().body();
      body.data = scratch.data();
      body.size = scratch.size();
      stream.expires_after(patience);
      co_await http::async_read_some(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, error));
      if (error && error != http::error::need_buffer) co_return error;
      const std::size_t size = scratch.size() - body.size;
      const std::size_t room = EchoRequest::max_shown_body - request.body.size();
      request.body.append(scratch.data(), std::min(size, room));
      request.body_size += size;
    }
    co_return error_code{};
  }

  asio::awaitable<bool> write_continue() {
    static constexpr std::string_view interim = "HTTP/1.1 100 Continue\r\n\r\n";
    error_code error;
    stream.expires_after(patience);
    co_await asio::async_write(stream, asio::buffer(interim), asio::redirect_error(asio::use_awaitable, error));
    co_return !error;
  }

  /// False: close.
  asio::awaitable<bool> write(Response& response, bool keep_alive, bool head_only, unsigned version) {
    error_code error;
    response.version(version);
    response.keep_alive(keep_alive);
    if (head_only) response.body().clear();  // Content-Length stays: RFC 9110 9.3.2
    stream.expires_after(patience);
    co_await http::async_write(stream, response, asio::redirect_error(asio::use_awaitable, error));
    co_return !error && keep_alive;
  }

  asio::awaitable<void> refuse(std::string why) {
    Response response = text_response(http::status::bad_request, std::move(why) + "\n");
    co_await write(response, false, false, 11);
  }
};

}  // namespace

class EchoServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  explicit Impl(EchoOptions options) : options_(std::move(options)) {}

  void start(asio::io_context& io) {
    serving_ = listen(io, options_.listen, &Impl::answer);
    if (options_.health_listen) health_ = listen(io, *options_.health_listen, &Impl::answer_health);
  }
  void stop() {
    if (serving_) serving_->stop();
    if (health_) health_->stop();
  }

  const conf::Address& address() const { return serving_->address(); }
  std::optional<conf::Address> health_address() const {
    return health_ ? std::optional(health_->address()) : std::nullopt;
  }
  bool healthy() const { return options_.health.local_endpoints > 0; }
  void set_healthy(bool healthy) { options_.health.local_endpoints = healthy ? 1 : 0; }

 private:
  using Answer = Response (Impl::*)(const EchoRequest&);
  using Status = proxy_protocol::Parser::Status;

  std::shared_ptr<LocalServer> listen(asio::io_context& io, const conf::Address& address, Answer respond) {
    return LocalServer::start(io, address, unix_mode, max_sessions,
                              [self = shared_from_this(), respond](LocalStream& s) { return serve(self, s, respond); });
  }

  /// Health ports get no PROXY header from a prober that knows kube-proxy, but clouds send one.
  EchoProxyProtocol policy(Answer respond) const {
    return respond == &Impl::answer ? options_.proxy_protocol : EchoProxyProtocol::accept;
  }

  bool stopped() const { return serving_->stopped(); }

  static asio::awaitable<void> serve(std::shared_ptr<Impl> self, LocalStream& stream, Answer respond) {
    Connection connection{.stream = stream};
    proxy_protocol::Parser proxy_parser;
    stream.expires_after(patience);
    const auto status = co_await read_proxy_header(stream, connection.buffer, proxy_parser);
    if (!status) co_return;
    if (const std::string why = self->refusal(*status, proxy_parser, respond); !why.empty()) {
      co_await connection.refuse(why);
      co_return;
    }
    std::optional<proxy_protocol::Header> proxy;
    if (*status == Status::complete) proxy = proxy_parser.header();
    for (bool more = true; more && !self->stopped();) more = co_await exchange(self, connection, proxy, respond);
  }

  std::string refusal(Status status, const proxy_protocol::Parser& parser, Answer respond) const {
    if (status == Status::failed) return "bad PROXY header: " + parser.error().message();
    const EchoProxyProtocol wanted = policy(respond);
    if (status == Status::complete && wanted == EchoProxyProtocol::off) {
      return "a PROXY header came, but this backend was not told to expect one (--proxy-protocol)";
    }
    if (status == Status::no_signature && wanted == EchoProxyProtocol::require) {
      return "this backend requires a PROXY header, and none came";
    }
    return {};
  }

  /// One request and its answer. False: close.
  static asio::awaitable<bool> exchange(std::shared_ptr<Impl> self, Connection& connection,
                                        const std::optional<proxy_protocol::Header>& proxy, Answer respond) {
    Parser parser;
    error_code error = co_await connection.read_head_of(parser);
    EchoRequest request;
    if (!error) {
      request = read_head(parser.get());
      if (lower_case(request.header("expect")) == "100-continue" && request.http_minor > 0 && !parser.is_done()) {
        if (!co_await connection.write_continue()) co_return false;
      }
      error = co_await connection.read_body(parser, request);
    }
    if (self->stopped()) co_return false;
    if (error && !is_fault_of_request(error)) co_return false;
    if (error) {
      co_await connection.refuse("bad request: " + error.message());
      co_return false;
    }
    request.peer = peer_address(connection.stream.socket());
    request.local = telltale::proxy::local_address(connection.stream.socket());
    request.proxy = proxy;
    Response response = (self.get()->*respond)(request);
    co_return co_await connection.write(response, parser.keep_alive(), request.method == "HEAD",
                                        request.http_minor == 0 ? 10 : 11);
  }

  Response answer(const EchoRequest& request) {
    if (options_.on_request) options_.on_request(request);
    if (request.path() == "/healthz") return tell_health();
    if (accepts_json(request.header("accept"))) {
      return make_response(http::status::ok, "application/json", echo_as_json(request));
    }
    return text_response(http::status::ok, echo_as_text(request));
  }

  Response answer_health(const EchoRequest& request) {
    if (request.method == "GET" || request.method == "HEAD") return tell_health();
    if (request.method == "POST" && (request.path() == "/fail" || request.path() == "/ok")) {
      set_healthy(request.path() == "/ok");
      return text_response(http::status::ok, healthy() ? "healthy\n" : "unhealthy\n");
    }
    return text_response(http::status::not_found, "GET anything, POST /fail or POST /ok\n");
  }

  Response tell_health() const {
    const NodeHealth& health = options_.health;
    Response response = make_response(http::int_to_status(health.status()), "application/json", health.body());
    response.set("X-Content-Type-Options", "nosniff");
    response.set("X-Load-Balancing-Endpoint-Weight", std::to_string(health.local_endpoints));
    return response;
  }

  EchoOptions options_;
  std::shared_ptr<LocalServer> serving_;
  std::shared_ptr<LocalServer> health_;
};

EchoServer::EchoServer(asio::io_context& io, EchoOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {
  try {
    impl_->start(io);
  } catch (...) {
    impl_->stop();
    throw;
  }
}
EchoServer::~EchoServer() { stop(); }
conf::Address EchoServer::local_address() const { return impl_->address(); }
std::optional<conf::Address> EchoServer::health_address() const { return impl_->health_address(); }
bool EchoServer::healthy() const { return impl_->healthy(); }
void EchoServer::set_healthy(bool healthy) { impl_->set_healthy(healthy); }
void EchoServer::stop() { impl_->stop(); }

int run_echo(const EchoOptions& options) {
  try {
    asio::io_context io(1);
    asio::signal_set signals(io, SIGINT, SIGTERM);
    EchoServer server(io, options);
    signals.async_wait([&](error_code, int) { server.stop(); });
    std::printf("listening on %s\n", server.local_address().to_string().c_str());
    if (const auto health = server.health_address()) std::printf("health on %s\n", health->to_string().c_str());
    std::fflush(stdout);
    io.run();
    return exit_ok;
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "telltale echo: %s\n", error.what());
    return exit_system;
  }
}

}  // namespace telltale::proxy
