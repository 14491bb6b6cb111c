#include "proxy/downstream/diagnosis.h"

#include "conf/text.h"
#include "proxy/downstream/proxy_headers.h"
#include "proxy/observe/hex.h"

#include <algorithm>

namespace telltale::proxy {
namespace {

/// What comes in one read may be the beginning of a request only: then it has to be that of a method that is in use.
bool begins_like_method(std::string_view octets) {
  constexpr std::string_view methods[] = {"GET",   "HEAD",  "POST",    "PUT", "DELETE",   "OPTIONS",
                                          "TRACE", "PATCH", "CONNECT", "PRI", "PROPFIND", "REPORT"};
  return std::ranges::any_of(methods, [octets](std::string_view method) { return method.starts_with(octets); });
}

std::string peer_address(const forwarding::PeerInfo& peer) {
  return peer.socket_peer ? peer.socket_peer->address.to_string() : std::string("unix");
}

std::string not_listed(const conf::ProxyProtocolRule& rule, const forwarding::PeerInfo& peer) {
  const std::string address = peer_address(peer);
  if (!rule.from.empty()) {
    return "a PROXY header from a peer whose rule in client_ip.proxy_protocol says forbid: if " + address +
           " is your load balancer, give it a rule with `policy: require` before that one";
  }
  return "a PROXY header from a peer that client_ip.proxy_protocol does not list: if it is your load balancer, add "
         "`- { from: [" +
         address + "], policy: require }`; if not, somebody tries to forge an address";
}

/// What is likely, where a header has a signature and is wrong.
std::string malformed_hint(const boost::system::error_code& error, const conf::ClientIp& client_ip) {
  if (error != proxy_protocol::Error::v2_length_too_long) {
    return ": its sender writes it wrong, or something on the way changes it";
  }
  return ": if the sender is yours, raise `proxy_max_header_bytes` (" +
         conf::format_size(client_ip.proxy_max_header_bytes) + ") in client_ip";
}

}  // namespace

ProxyFailure diagnose_first_octets(std::string_view octets) {
  // RFC 8446 5.1: a handshake record, version 3.x.
  if (octets.starts_with(0x16) && (octets.size() == 1 || octets[1] == 0x03)) return ProxyFailure::tls_client_hello;
  const auto token = octets.substr(0, octets.find(' '));
  if (token.size() == octets.size() && !octets.empty()) {
    return begins_like_method(octets) ? ProxyFailure::plain_http : ProxyFailure::no_header;
  }
  const bool method = !token.empty() && token.size() <= 16 &&
                      std::all_of(token.begin(), token.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  return method ? ProxyFailure::plain_http : ProxyFailure::no_header;
}

std::string explain_proxy_problem(const ProxyProblem& problem, const conf::ClientIp& client_ip,
                                  const conf::ProxyProtocolRule& rule, const forwarding::PeerInfo& peer) {
  const std::string timeout = conf::format_duration(client_ip.proxy_header_timeout);
  switch (problem.cause) {
    case ProxyFailure::none:
    case ProxyFailure::count_:
      return {};
    case ProxyFailure::plain_http:
      return "plain HTTP where a PROXY header is required: the load balancer does not send it (switch it on there), or "
             "somebody came straight to this port (a pod, a probe: give " +
             peer_address(peer) + " a rule with `policy: accept` in client_ip.proxy_protocol)";
    case ProxyFailure::tls_client_hello:
      return "a TLS ClientHello where a PROXY header is required: the load balancer passes TLS through without it "
             "(switch PROXY protocol on there), or a client came straight to this port";
    case ProxyFailure::bare_probe:
      return "closed without an octet: a bare TCP probe";
    case ProxyFailure::not_listed:
      return not_listed(rule, peer);
    case ProxyFailure::header_twice:
      return "one more PROXY header than is believed: two proxies in front send it; if both are yours, list the one "
             "that "
             "the first header names in client_ip.proxy_protocol, and set "
             "`proxy_header_count: " +
             std::to_string(client_ip.proxy_header_count + 1) + "` in client_ip";
    case ProxyFailure::v1_not_allowed:
      return "a PROXY v1 header where only v2 is allowed: set the sender to version 2, or `version: any` in its rule "
             "in "
             "client_ip.proxy_protocol";
    case ProxyFailure::v2_not_allowed:
      return "a PROXY v2 header where only v1 is allowed: set the sender to version 1, or `version: any` in its rule "
             "in "
             "client_ip.proxy_protocol";
    case ProxyFailure::timed_out:
      return "no whole PROXY header within proxy_header_timeout (" + timeout +
             "): the peer waits for us to speak first, or is slow";
    case ProxyFailure::cut_short:
      return "closed by the peer in the middle of its PROXY header";
    case ProxyFailure::malformed:
      return "a PROXY header that is wrong: " + problem.error.message() + malformed_hint(problem.error, client_ip);
    case ProxyFailure::no_header:
      return "neither a PROXY header, which is required, nor HTTP or TLS" +
             (problem.first_octets.empty() ? std::string() : ": the first octets are " + to_hex(problem.first_octets));
  }
  return {};
}

}  // namespace telltale::proxy
