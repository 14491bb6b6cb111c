#include "proxy/downstream/proxy_headers.h"

#include "protocol/proxy_protocol/v1.h"
#include "protocol/proxy_protocol/v2.h"
#include "proxy/downstream/diagnosis.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace telltale::proxy {
namespace {

using proxy_protocol::Parser;

bool allows(conf::ProxyVersions versions, proxy_protocol::Version version) {
  switch (versions) {
    case conf::ProxyVersions::any:
      return true;
    case conf::ProxyVersions::v1:
      return version == proxy_protocol::Version::v1;
    case conf::ProxyVersions::v2:
      return version == proxy_protocol::Version::v2;
  }
  return false;
}

bool has_whole_signature(std::string_view octets) {
  return octets.starts_with(proxy_protocol::v1::signature) || octets.starts_with(proxy_protocol::v2::signature);
}

/// False: the header names nobody, so that the hop which sent it stands (LOCAL, UNKNOWN, a Unix socket's client).
bool believe(forwarding::PeerInfo& peer, proxy_protocol::Header&& header) {
  peer.has_proxy_header = true;
  if (peer.tlvs.empty()) {
    peer.tlvs = std::move(header.tlvs);
  } else {
    peer.tlvs += header.tlvs;
  }
  if (header.command != proxy_protocol::Command::proxy || !header.source) return false;
  if (peer.proxy_source) peer.proxy_hops.push_back(*peer.proxy_source);
  peer.proxy_source = header.source;
  peer.proxy_destination = header.destination;
  return true;
}

}  // namespace

const conf::ProxyProtocolRule& forbidding_proxy_rule() {
  static const conf::ProxyProtocolRule rule;
  return rule;
}

const conf::ProxyProtocolRule& proxy_rule_for(const conf::ClientIp& client_ip, const std::optional<net::IpPort>& hop) {
  std::optional<net::IpAddress> address;
  if (hop) address = hop->address;
  for (const auto& rule : client_ip.proxy_protocol) {
    if (rule.from.contains(address)) return rule;
  }
  return forbidding_proxy_rule();
}

bool starts_like_proxy_header(std::string_view octets) {
  const auto agrees = [octets](std::string_view signature) {
    const std::size_t size = std::min(octets.size(), signature.size());
    return octets.substr(0, size) == signature.substr(0, size);
  };
  return agrees(proxy_protocol::v1::signature) || agrees(proxy_protocol::v2::signature);
}

ProxyHeaders::ProxyHeaders(const conf::ClientIp& client_ip, const conf::ProxyProtocolRule& rule,
                           forwarding::PeerInfo& peer)
    : client_ip_(client_ip), rule_(&rule), peer_(peer), parser_(client_ip.proxy_max_header_bytes) {}

ProxyHeaders::Status ProxyHeaders::feed(std::string_view octets) {
  consumed_ = 0;
  if (rule_->policy == conf::ProxyPolicy::forbid) return refuse(octets);
  while (!is_last_) {
    const auto outcome = parser_.feed(octets.substr(consumed_));
    switch (outcome.status) {
      case Parser::Status::need_more:
        return Status::need_more;
      case Parser::Status::failed:
        problem_.error = parser_.error();
        return fail(ProxyFailure::malformed);
      case Parser::Status::no_signature:
        return without_header(octets.substr(consumed_));
      case Parser::Status::complete:
        consumed_ += outcome.consumed;
        if (take_header() == Status::failed) return Status::failed;
        if (consumed_ == octets.size() && !is_last_) return Status::need_more;
    }
  }
  return Status::done;
}

/// Where no header may come, its signature alone decides.
ProxyHeaders::Status ProxyHeaders::refuse(std::string_view octets) {
  const Parser::Status status = parser_.feed(octets).status;
  if (status == Parser::Status::no_signature) return Status::done;
  if (status == Parser::Status::need_more && !has_whole_signature(parser_.buffered())) return Status::need_more;
  const bool is_listed = proxy_rule_for(client_ip_, peer_.socket_peer).policy != conf::ProxyPolicy::forbid;
  return fail(is_listed ? ProxyFailure::header_twice : ProxyFailure::not_listed);
}

ProxyHeaders::Status ProxyHeaders::take_header() {
  proxy_protocol::Header& header = parser_.header();
  if (!allows(rule_->version, header.version)) {
    return fail(header.version == proxy_protocol::Version::v1 ? ProxyFailure::v1_not_allowed
                                                              : ProxyFailure::v2_not_allowed);
  }
  is_last_ = ++count_ == client_ip_.proxy_header_count;
  // One that is ignored leaves the hop as it was, and with it the rule for the next.
  if (rule_->policy != conf::ProxyPolicy::ignore) {
    is_last_ = !believe(peer_, std::move(header)) || is_last_;
    rule_ = &proxy_rule_for(client_ip_, peer_.hop());
    is_last_ = is_last_ || rule_->policy == conf::ProxyPolicy::forbid;
  }
  parser_.reset();
  return Status::done;
}

ProxyHeaders::Status ProxyHeaders::without_header(std::string_view octets) {
  if (rule_->policy != conf::ProxyPolicy::require) return Status::done;
  const std::string all = std::string(parser_.buffered()).append(octets);
  const ProxyFailure cause = diagnose_first_octets(all);
  if (cause == ProxyFailure::no_header) problem_.first_octets = all.substr(0, shown_first_octets);
  return fail(cause);
}

ProxyHeaders::Status ProxyHeaders::end(bool timed_out) {
  consumed_ = 0;
  if (rule_->policy == conf::ProxyPolicy::forbid) return Status::done;  // less than a signature: HTTP's affair
  if (timed_out) return fail(ProxyFailure::timed_out);
  return fail(parser_.buffered().empty() && count_ == 0 ? ProxyFailure::bare_probe : ProxyFailure::cut_short);
}

ProxyHeaders::Status ProxyHeaders::fail(ProxyFailure cause) {
  problem_.cause = cause;
  return Status::failed;
}

}  // namespace telltale::proxy
