#include "proxy/cli/status.h"

#include "protocol/net/ip_address.h"
#include "proxy/cli/exit_codes.h"
#include "proxy/net/socket_address.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/parse.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <optional>
#include <vector>

namespace telltale::proxy {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace json = boost::json;
using Protocol = asio::generic::stream_protocol;

constexpr std::chrono::seconds timeout{3};
constexpr std::uint64_t max_body_bytes = 64 * 1024 * 1024;  // of 100,000 endpoints
constexpr std::string_view unix_prefix = "unix:";

/// One GET, asynchronous because only so can Beast give it a deadline.
class Query {
 public:
  Query(asio::io_context& io, const SocketAddress& address, std::string_view target) : stream_(io) {
    request_ = {beast::http::verb::get, target, 11};
    request_.set(beast::http::field::host, "localhost");
    stream_.expires_after(timeout);
    stream_.async_connect(Protocol::endpoint(address.data(), address.size()), [this](beast::error_code e) {
      if (!failed(e)) write();
    });
  }
  beast::error_code error;
  const std::string& body() const { return response_.get().body(); }
  bool ok() const { return !error && response_.get().result() == beast::http::status::ok; }

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
    response_.body_limit(max_body_bytes);
    beast::http::async_read(stream_, buffer_, response_, [this](beast::error_code e, std::size_t) { failed(e); });
  }

  beast::basic_stream<Protocol> stream_;
  beast::flat_buffer buffer_;
  beast::http::request<beast::http::empty_body> request_;
  beast::http::response_parser<beast::http::string_body> response_;
};

std::string_view text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

const json::object& object_of(const json::object& object, std::string_view key) {
  static const json::object none;
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_object() ? value->get_object() : none;
}

const json::array& array_of(const json::object& object, std::string_view key) {
  static const json::array none;
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_array() ? value->get_array() : none;
}

std::uint64_t number_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  boost::system::error_code error;
  return value == nullptr ? 0 : value->to_number<std::uint64_t>(error);
}

/// `fit, 2 of 3 endpoints may be chosen`
std::string selection_text(const json::object& service, std::string_view traffic) {
  const json::object& selection = object_of(object_of(service, "selection"), traffic);
  return fmt::format("{}, {} of {} endpoints may be chosen", text_of(selection, "reason"),
                     number_of(selection, "eligible"), array_of(service, "endpoints").size());
}

struct Line {
  std::string kind, name, state, since, reason;
};

/// What is in `health` of a node, in an endpoint itself.
Line line_of(std::string kind, const json::object& named, const json::object& state) {
  std::string name(text_of(named, "name"));
  const std::string_view address = text_of(named, "address");
  if (name != address && !address.empty()) name.append(" ").append(address);
  Line line{std::move(kind), std::move(name), std::string(text_of(state, "state")),
            std::string(text_of(state, "since")), std::string(text_of(state, "reason"))};
  if (line.since.empty()) line.since = "-";
  if (const std::string_view until = text_of(object_of(named, "ejected"), "until"); !until.empty()) {
    line.reason.append(", until ").append(until);
  }
  return line;
}

/// Names that are looked up, and the file that is followed.
std::vector<Line> discovery_lines_of(const json::object& discovery) {
  std::vector<Line> lines;
  for (const json::value& name : array_of(discovery, "names")) {
    if (!name.is_object()) continue;
    lines.push_back(line_of("name", name.get_object(), name.get_object()));
    lines.back().reason = text_of(name.get_object(), "error");
  }
  const json::object& file = object_of(discovery, "file");
  if (file.empty()) return lines;
  const std::string_view problems = text_of(file, "problems");
  lines.push_back({"file", std::string(text_of(file, "path")), problems.empty() ? "in force" : "refused",
                   std::string(text_of(file, "loaded")), std::string(problems.substr(0, problems.find('\n')))});
  return lines;
}

std::vector<Line> lines_of(const json::object& service) {
  std::vector<Line> lines = discovery_lines_of(object_of(service, "discovery"));
  for (const json::value& node : array_of(service, "nodes")) {
    if (!node.is_object()) continue;
    const json::object& health = object_of(node.get_object(), "health");
    if (!health.empty()) lines.push_back(line_of("node", node.get_object(), health));
  }
  for (const json::value& endpoint : array_of(service, "endpoints")) {
    if (endpoint.is_object()) lines.push_back(line_of("endpoint", endpoint.get_object(), endpoint.get_object()));
  }
  return lines;
}

void append_service(std::string& out, const json::object& service) {
  const std::string external = selection_text(service, "external"), internal = selection_text(service, "internal");
  out += fmt::format("service {}: {}\n", text_of(service, "name"), external);
  if (internal != external) out += fmt::format("  internal traffic: {}\n", internal);
  const std::vector<Line> lines = lines_of(service);
  std::size_t width = 0;
  for (const Line& line : lines) width = std::max(width, line.name.size());
  for (const Line& line : lines) {
    out +=
        fmt::format("  {:8} {:{}}  {:9}  {:24}  {}", line.kind, line.name, width, line.state, line.since, line.reason);
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
}

}  // namespace

std::string services_as_text(std::string_view page) {
  boost::system::error_code error;
  const json::value parsed = json::parse(page, error);
  std::string out;
  if (error || !parsed.is_array()) return out;
  for (const json::value& service : parsed.get_array()) {
    if (service.is_object()) append_service(out, service.get_object());
  }
  return out;
}

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
  Query ready(io, SocketAddress(address), "/readyz");
  std::optional<Query> services;
  if (!options.quiet) services.emplace(io, SocketAddress(address), "/services");
  io.run();
  if (ready.error) {
    std::cerr << "telltale status: " << options.admin << ": " << ready.error.message() << "\n";
    return 1;
  }
  std::cout << ready.body();
  if (services && services->ok()) std::cout << services_as_text(services->body());
  return ready.ok() ? exit_ok : 1;
}

}  // namespace telltale::proxy
