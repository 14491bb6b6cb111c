#pragma once

#include "conf/model.h"
#include "protocol/forwarding/client_address.h"
#include "protocol/proxy_protocol/parser.h"
#include "proxy/observe/metrics.h"

#include <boost/system/error_code.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace telltale::proxy {

/// The rule for a hop, the socket's peer or whom a PROXY header named: the first that contains it, else one that
/// forbids (identity.md, layer 2). nullopt: a Unix socket's peer.
const conf::ProxyProtocolRule& proxy_rule_for(const conf::ClientIp& client_ip, const std::optional<net::IpPort>& hop);
/// The rule of whoever is not named; also for what comes behind the declared number of headers.
const conf::ProxyProtocolRule& forbidding_proxy_rule();

/// May be the beginning of a PROXY header, v1 or v2.
bool starts_like_proxy_header(std::string_view octets);

/// Why a connection was closed in its PROXY phase.
struct ProxyProblem {
  ProxyFailure cause = ProxyFailure::none;
  boost::system::error_code error;  ///< malformed: what the parser said
  std::string first_octets;         ///< no_header: a few of them
};

/// The PROXY headers that open one connection, without its socket: octets in, verdict out. The data path feeds it what
/// it reads; `telltale explain` what it was given. What the headers say goes to `peer` as far as the rule believes it.
class ProxyHeaders {
 public:
  enum class Status : std::uint8_t {
    need_more,
    done,    ///< no (further) header: buffered() and the input from consumed() on are payload
    failed,  ///< close: problem()
  };

  /// All three must outlive this. Under a rule that forbids, a signature is a failure. Else up to
  /// client_ip.proxy_header_count headers are read: each further one is reported by the hop that the one before it
  /// named, and is asked for, let in or left to be refused as the rule for that hop says; one that named nobody is the
  /// last.
  ProxyHeaders(const conf::ClientIp& client_ip, const conf::ProxyProtocolRule& rule, forwarding::PeerInfo& peer);

  Status feed(std::string_view octets);
  /// The peer sends no more, or (`timed_out`) its time is over, while more was needed. done: what came is payload.
  Status end(bool timed_out);

  std::string_view buffered() const { return parser_.buffered(); }
  std::size_t consumed() const { return consumed_; }
  const ProxyProblem& problem() const { return problem_; }
  unsigned count() const { return count_; }  ///< of the headers read

 private:
  Status refuse(std::string_view octets);
  Status take_header();
  Status without_header(std::string_view octets);
  Status fail(ProxyFailure cause);

  const conf::ClientIp& client_ip_;
  const conf::ProxyProtocolRule* rule_;
  forwarding::PeerInfo& peer_;
  proxy_protocol::Parser parser_;
  ProxyProblem problem_;
  std::size_t consumed_ = 0;
  unsigned count_ = 0;
  bool is_last_ = false;  ///< no further header is looked for
};

}  // namespace telltale::proxy
