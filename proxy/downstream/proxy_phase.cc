#include "proxy/downstream/proxy_phase.h"

#include <boost/asio/error.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "protocol/proxy_protocol/parser.h"

namespace telltale::proxy {
namespace {

using boost::system::error_code;
using proxy_protocol::Parser;

constexpr std::string_view v1_signature = "PROXY ";
constexpr std::string_view v2_signature{"\r\n\r\n\0\r\nQUIT\n", 12};

std::string_view advice(ProxyFailure cause) {
  switch (cause) {
    case ProxyFailure::plain_http:
      return "plain HTTP where a PROXY header is required: the load balancer does not send it, or somebody came "
             "straight to this port; list such peers with policy accept";
    case ProxyFailure::tls_client_hello:
      return "a TLS ClientHello where a PROXY header is required: the load balancer passes TLS through without PROXY";
    case ProxyFailure::not_listed:
      return "a PROXY header from a peer that client_ip.proxy_protocol does not list: name its address there if it is "
             "your load balancer";
    case ProxyFailure::header_twice:
      return "one more PROXY header than declared: two proxies in front send it; see proxy_header_count";
    case ProxyFailure::timed_out:
      return "no whole PROXY header within proxy_header_timeout";
    case ProxyFailure::malformed:
      return "a PROXY header that is wrong";
    case ProxyFailure::no_header:
      return "something else where a PROXY header is required";
    default:
      return "";
  }
}

/// Closes the phase: counted by cause; bare probes are no news.
bool fail(Connection& connection, ProxyFailure cause, error_code error = {}) {
  const auto& context = connection.context();
  context.metrics->proxy_failures[static_cast<std::size_t>(cause)].add();
  if (cause != ProxyFailure::bare_probe) {
    spdlog::warn("listener {}: connection from {} closed: {}{}{}", context.listener->name,
                 context.peer.socket_peer ? context.peer.socket_peer->to_string() : "unix", advice(cause),
                 error ? ": " : "", error ? error.message() : "");
  }
  return false;
}

ProxyFailure diagnose(std::string_view octets) {
  // RFC 8446 5.1: a handshake record, version 3.x.
  if (octets.size() >= 2 && octets[0] == 0x16 && octets[1] == 0x03) return ProxyFailure::tls_client_hello;
  const auto token = octets.substr(0, octets.find(' '));
  const bool method = !token.empty() && token.size() <= 16 &&
                      std::all_of(token.begin(), token.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  return method ? ProxyFailure::plain_http : ProxyFailure::no_header;
}

struct Received {
  Parser::Status status = Parser::Status::need_more;
  ProxyFailure cause = ProxyFailure::none;  ///< set when nothing could be concluded: timeout, end
};

/// Reads until the parser knows. Octets that are no header's are put back.
Awaitable<Received> receive(Connection& connection, Parser& parser) {
  Stream& stream = connection.stream();
  for (;;) {
    const ReadResult got = stream.read();
    if (got.error == boost::asio::error::would_block) {
      const auto [error] = co_await stream.async_readable(as_result);
      if (!error) continue;
      co_return Received{.cause = parser.buffered().empty() && error != boost::asio::error::timed_out
                                      ? ProxyFailure::bare_probe
                                      : ProxyFailure::timed_out};
    }
    if (got.error) {
      co_return Received{.cause = parser.buffered().empty() ? ProxyFailure::bare_probe : ProxyFailure::malformed};
    }
    const auto outcome = parser.feed(got.octets);
    if (outcome.status == Parser::Status::need_more) continue;
    if (outcome.status == Parser::Status::no_signature) {
      stream.unread(parser.buffered().empty() ? std::string(got.octets)
                                              : std::string(parser.buffered()).append(got.octets));
    } else {
      stream.unread(got.octets.substr(outcome.consumed));
    }
    co_return Received{.status = outcome.status};
  }
}

void believe(forwarding::PeerInfo& peer, proxy_protocol::Header&& header) {
  peer.has_proxy_header = true;
  if (peer.tlvs.empty()) {
    peer.tlvs = std::move(header.tlvs);
  } else {
    peer.tlvs += header.tlvs;
  }
  if (header.command != proxy_protocol::Command::proxy || !header.source) return;  // LOCAL: the socket's stand
  peer.proxy_source = header.source;
  peer.proxy_destination = header.destination;
}

}  // namespace

conf::ProxyPolicy proxy_policy_for(const conf::ClientIp& client_ip, const forwarding::PeerInfo& peer) {
  std::optional<net::IpAddress> address;
  if (peer.socket_peer) address = peer.socket_peer->address;
  for (const auto& rule : client_ip.proxy_protocol) {
    if (rule.from.contains(address)) return rule.policy;
  }
  return conf::ProxyPolicy::forbid;
}

bool starts_like_proxy_header(std::string_view octets) {
  const auto agrees = [octets](std::string_view signature) {
    const std::size_t size = std::min(octets.size(), signature.size());
    return octets.substr(0, size) == signature.substr(0, size);
  };
  return agrees(v1_signature) || agrees(v2_signature);
}

Awaitable<bool> read_proxy_headers(Connection& connection, conf::ProxyPolicy policy) {
  auto& context = connection.context();
  const auto& client_ip = context.listener->client_ip;
  Stream& stream = connection.stream();
  stream.expires_after(client_ip.proxy_header_timeout);
  const auto parser = std::make_unique<Parser>(client_ip.proxy_max_header_bytes);  // not in an idle connection's frame
  for (unsigned count = 0; count < client_ip.proxy_header_count; ++count) {
    parser->reset();
    const Received received = co_await receive(connection, *parser);
    if (received.cause != ProxyFailure::none) co_return fail(connection, received.cause);
    if (received.status == Parser::Status::failed) co_return fail(connection, ProxyFailure::malformed, parser->error());
    if (received.status == Parser::Status::no_signature) {
      if (policy != conf::ProxyPolicy::require) break;
      const ReadResult first = stream.read();
      co_return fail(connection, diagnose(first.octets));
    }
    if (policy != conf::ProxyPolicy::ignore) believe(context.peer, std::move(parser->header()));
  }
  co_return true;
}

Awaitable<bool> refuse_proxy_header(Connection& connection) {
  auto& context = connection.context();
  connection.stream().expires_after(context.listener->client_ip.proxy_header_timeout);
  const auto parser = std::make_unique<Parser>(context.listener->client_ip.proxy_max_header_bytes);
  const Received received = co_await receive(connection, *parser);
  if (received.cause != ProxyFailure::none) co_return fail(connection, received.cause);
  if (received.status == Parser::Status::no_signature) co_return true;
  co_return fail(connection, context.peer.has_proxy_header ? ProxyFailure::header_twice : ProxyFailure::not_listed);
}

}  // namespace telltale::proxy
