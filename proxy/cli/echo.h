#pragma once

#include "conf/model.h"
#include "proxy/cli/echo_answer.h"
#include "proxy/health/node_health.h"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace telltale::proxy {

/// off: a PROXY header is answered 400. accept: one may come. require: without one, 400.
enum class EchoProxyProtocol : std::uint8_t { off, accept, require };

struct EchoOptions {
  conf::Address listen{net::IpPort{net::IpAddress::v4(127, 0, 0, 1), 8080}, {}};
  EchoProxyProtocol proxy_protocol = EchoProxyProtocol::off;
  /// A port that answers as kube-proxy does on a healthCheckNodePort: GET or HEAD of any path tells the health;
  /// `POST /fail` and `POST /ok` change it.
  std::optional<conf::Address> health_listen;
  NodeHealth health{.service_name = "demo", .local_endpoints = 1};
  /// Told of each request before it is answered, on the io_context's thread; may be empty.
  std::function<void(const EchoRequest&)> on_request;
};

/// `telltale echo`: a backend that shows what it was told (config.md). HTTP/1.1 and 1.0, keep-alive, pipelining, bodies
/// of any size (counted; the first 64 KiB are shown), `Expect: 100-continue`. `/healthz` on the serving port answers as
/// the health port does. At most 1,024 connections; idle ones are closed after 75 s, 64 KiB of head are read.
/// On the io_context's thread, which must outlive this; one thread runs it.
class EchoServer {
 public:
  /// Binds at once; throws std::system_error when an address is taken.
  EchoServer(boost::asio::io_context& io, EchoOptions options);
  ~EchoServer();
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  conf::Address local_address() const;                  ///< the real port when 0 was asked for
  std::optional<conf::Address> health_address() const;  ///< likewise
  bool healthy() const;
  void set_healthy(bool healthy);
  /// Closes everything. Idempotent.
  void stop();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

/// Runs until SIGINT or SIGTERM. Prints `listening on ADDRESS` to standard output, then `health on ADDRESS` if there is
/// a health port. Returns the exit code: 0, or 71 (EX_OSERR) when an address cannot be bound.
int run_echo(const EchoOptions& options);

}  // namespace telltale::proxy
