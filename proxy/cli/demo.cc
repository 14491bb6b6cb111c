#include "proxy/cli/demo.h"

#include "conf/loader.h"
#include "protocol/forwarding/propagate.h"
#include "protocol/http/header_block.h"
#include "proxy/cli/echo.h"
#include "proxy/cli/exit_codes.h"
#include "proxy/observe/escape.h"
#include "proxy/observe/log.h"
#include "proxy/server/server.h"

#include <boost/asio/io_context.hpp>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <string>
#include <system_error>

namespace telltale::proxy {
namespace {

constexpr net::IpAddress loopback = net::IpAddress::v4(127, 0, 0, 1);

conf::Address any_port() { return {net::IpPort{loopback, 0}, {}}; }

struct DemoNode {
  std::string name;
  std::unique_ptr<EchoServer> echo;
  std::uint16_t port() const { return echo->local_address().ip->port; }
  std::uint16_t health_port() const { return echo->health_address()->ip->port; }
};

DemoNode start_node(boost::asio::io_context& io, std::string name) {
  EchoOptions options;
  options.listen = any_port();
  options.health_listen = any_port();
  auto echo = std::make_unique<EchoServer>(io, std::move(options));
  return {std::move(name), std::move(echo)};
}

/// An ordinary configuration, so that what the demo shows is what a file would do.
std::string demo_config(std::uint16_t port, const DemoNode& a, const DemoNode& b) {
  return fmt::format(R"(workers: 1
admin: {{ listen: "127.0.0.1:0" }}
drain: {{ delay: 0ms, grace: 10s }}
listeners:
  - name: demo
    listen: "127.0.0.1:{}"
    client_ip:
      proxy_protocol:
        - {{ from: [127.0.0.0/8], policy: accept }}
    service: demo
services:
  - name: demo
    external_traffic_policy: local
    nodes:
      - {{ name: {}, address: 127.0.0.1, port: {}, health_port: {} }}
      - {{ name: {}, address: 127.0.0.1, port: {}, health_port: {} }}
    health: {{ http: /healthz, interval: 500ms }}
    propagate:
      x_forwarded_for: append
      forwarded: {{ mode: replace, parameters: [for, proto] }}
)",
                     port, a.name, a.port(), a.health_port(), b.name, b.port(), b.health_port());
}

std::string_view why(forwarding::Provenance provenance) {
  switch (provenance) {
    case forwarding::Provenance::proxy_protocol:
      return "its load balancer's PROXY header said so";
    case forwarding::Provenance::header:
      return "a trusted hop's header said so";
    default:
      return "it is who connected";
  }
}

/// One line a request: who connected, who the client is and why, where it went, what the backend was told.
class DemoLog final : public AccessLog {
 public:
  explicit DemoLog(const conf::Service& service) : propagate_(service.propagate) {}

  void write(const AccessRecord& record) override {
    const std::string peer = record.peer->socket_peer ? record.peer->socket_peer->to_string() : "unix";
    const std::string client = record.client->address ? record.client->address->to_string() : "unknown";
    std::string line = fmt::format("{} {} -> {}  {} connected; the client is {} ({})", record.method, record.target,
                                   record.status, peer, client, why(record.client->provenance));
    for (const auto& rejected : record.client->rejected) {
      line += fmt::format("; \"{}\" in a header is not believed", rejected.token);
    }
    if (!record.endpoint.empty()) {
      line += fmt::format("; picked {} at {}, which was told: {}", record.node, record.endpoint, told(record));
    }
    if (record.failure) line += fmt::format("; failed: {}", record.failure_detail);
    std::string readable;  // what peers sent must not reach a terminal raw
    append_readable(readable, line);
    std::fprintf(stdout, "%s\n", readable.c_str());
    std::fflush(stdout);
  }
  void flush() override {}
  bool pending() const override { return false; }
  void reopen() override {}
  std::uint64_t dropped() const override { return 0; }

 private:
  /// By the function that told the backend. The demo trusts no header, so none that was received plays a part.
  std::string told(const AccessRecord& record) const {
    std::string fields;
    auto propagate = propagate_;
    propagate.via = false;
    forwarding::append_identity_fields(
        fields, http::HeaderBlock(), forwarding::HeaderTrust(), propagate,
        {.peer = *record.peer, .client = *record.client, .scheme = "http", .host = record.host});
    std::string text;
    for (std::size_t at = 0, end; (end = fields.find("\r\n", at)) != std::string::npos; at = end + 2) {
      if (!text.empty()) text += ", ";
      text += fields.substr(at, end - at);
    }
    return text;
  }

  forwarding::Propagate propagate_;
};

void print_guide(const conf::Address& listener, const DemoNode& a, const DemoNode& b) {
  const std::string where = listener.to_string();
  fmt::print(R"(Telltale listens on {0} in front of two echo backends, {1} and {2}. Try, in another terminal:

  curl http://{0}/
      what the backend was told, as plain text
  curl -H 'X-Forwarded-For: 203.0.113.9' http://{0}/
      a forged header: nobody is trusted to send it, so it does not reach the backend
  printf 'PROXY TCP4 198.51.100.79 203.0.113.140 52110 80\r\nGET / HTTP/1.0\r\n\r\n' | curl -s telnet://{0}
      as a load balancer that speaks PROXY protocol: the client is 198.51.100.79
  curl -X POST http://127.0.0.1:{3}/fail
      {1} fails its /healthz: all goes to {2} (back with /ok; {2}'s port is {4})

Ctrl-C ends, once the requests in flight are done. Each request is told in a line:

)",
             where, a.name, b.name, a.health_port(), b.health_port());
  std::fflush(stdout);
}

std::unique_ptr<Server> start_server(boost::asio::io_context& io, std::uint16_t port, const DemoNode& a,
                                     const DemoNode& b) {
  const auto loaded = conf::load_text(demo_config(port, a, b));
  if (loaded.model == nullptr) throw std::logic_error("the demo's configuration:\n" + conf::render(loaded, "demo"));
  setup_logging(loaded.model->log);
  const auto& service = loaded.model->services.front();
  return std::make_unique<Server>(io, loaded.model, [&service] { return std::make_unique<DemoLog>(service); });
}

}  // namespace

int run_demo(const DemoOptions& options) {
  try {
    boost::asio::io_context io(1);
    const DemoNode a = start_node(io, "node-a");
    const DemoNode b = start_node(io, "node-b");
    std::unique_ptr<Server> server;
    try {
      server = start_server(io, options.port, a, b);
    } catch (const std::system_error& error) {
      if (options.port == 0) throw;
      fmt::print("Port {} is taken ({}); another one then.\n", options.port, error.code().message());
      server = start_server(io, 0, a, b);
    }
    print_guide(server->addresses().front(), a, b);
    server->run();
  } catch (const std::system_error& error) {
    std::cerr << "telltale: " << error.what() << "\n";
    return exit_system;
  }
  fmt::print("Ended.\n");
  return exit_ok;
}

}  // namespace telltale::proxy
