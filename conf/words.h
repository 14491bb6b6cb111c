#pragma once

#include "conf/model.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

/// The words of the configuration file for the model's enumerations, in the order of their values.
namespace telltale::conf {

template <class E>
struct Words;

template <>
struct Words<ProxyPolicy> {
  static constexpr std::array<std::string_view, 4> list = {"forbid", "ignore", "accept", "require"};
};
template <>
struct Words<ProxyVersions> {
  static constexpr std::array<std::string_view, 3> list = {"any", "v1", "v2"};
};
template <>
struct Words<forwarding::OnInvalid> {
  static constexpr std::array<std::string_view, 2> list = {"stop", "reject"};
};
template <>
struct Words<http1::UnderscorePolicy> {
  static constexpr std::array<std::string_view, 3> list = {"pass", "drop", "reject"};
};
template <>
struct Words<Protocol> {
  static constexpr std::array<std::string_view, 2> list = {"http", "tcp"};
};
/// In a route's match; those of a certificate in its `client_cert`.
template <>
struct Words<ConnectionTrait::Of> {
  static constexpr std::array<std::string_view, 6> list = {"tlv", "alpn", "verified", "subject", "san", "fingerprint"};
};
template <>
struct Words<PathType> {
  static constexpr std::array<std::string_view, 2> list = {"prefix", "exact"};
};
template <>
struct Words<TrafficPolicy> {
  static constexpr std::array<std::string_view, 2> list = {"cluster", "local"};
};
template <>
struct Words<TrafficDistribution> {
  static constexpr std::array<std::string_view, 3> list = {"any", "prefer_same_zone", "prefer_same_node"};
};
template <>
struct Words<HashOn> {
  static constexpr std::array<std::string_view, 3> list = {"client_address", "header", "cookie"};
};
template <>
struct Words<TlsPolicy> {
  static constexpr std::array<std::string_view, 2> list = {"intermediate", "modern"};
};
template <>
struct Words<ClientAuth> {
  static constexpr std::array<std::string_view, 3> list = {"off", "optional", "required"};
};
template <>
struct Words<TlsVerify> {
  static constexpr std::array<std::string_view, 3> list = {"full", "ca", "none"};
};
template <>
struct Words<BalancePolicy> {
  static constexpr std::array<std::string_view, 5> list = {"round_robin", "least_request", "random", "maglev",
                                                           "ring_hash"};
};
template <>
struct Words<ProxyOnProbe> {
  static constexpr std::array<std::string_view, 3> list = {"false", "v1", "v2"};
};
template <>
struct Words<forwarding::ListMode> {
  static constexpr std::array<std::string_view, 5> list = {"off", "append", "replace", "remove", "pass"};
};
template <>
struct Words<forwarding::NodeName::Form> {
  static constexpr std::array<std::string_view, 4> list = {"address", "unknown", "per_connection", "per_process"};
};
template <>
struct Words<LogFormat> {
  static constexpr std::array<std::string_view, 2> list = {"human", "json"};
};
template <>
struct Words<AccessLogFormat> {
  static constexpr std::array<std::string_view, 3> list = {"off", "json", "text"};
};

template <class E>
constexpr std::string_view word_of(E value) {
  return Words<E>::list[static_cast<std::size_t>(value)];
}

template <class E>
constexpr std::optional<E> from_word(std::string_view word) {
  const auto found = std::ranges::find(Words<E>::list, word);
  if (found == Words<E>::list.end()) return std::nullopt;
  return static_cast<E>(found - Words<E>::list.begin());
}

/// The variables of an access log template: the fields of its JSON records, `tls.version` for `version` in `tls`.
// clang-format off
inline constexpr std::array<std::string_view, 38> access_log_variables = {
    "time",     "request_id",  "client",         "client_port",  "provenance",    "peer",       "listener",
    "route",    "service",     "node",           "endpoint",     "method",        "host",       "target",
    "protocol", "status",      "bytes_received", "bytes_sent",   "duration_ms",   "connect_ms", "response_ms",
    "tries",    "reused",      "user_agent",     "failure_side", "failure_phase", "failure",    "client_refused",
    "reason",   "ended_by", "tls.version", "tls.cipher",     "tls.sni",      "tls.alpn",
    "tls.client_verified", "tls.client_subject", "tls.client_sans", "tls.client_fingerprint"};
// clang-format on

/// Where the name of any received TLV may stand, for hints.
inline constexpr std::string_view any_tlv_hint =
    "a name such as authority, ssl_cn or aws_vpce_id, or any type as 0xE3; see \"Received TLVs\" in the reference";

struct TlvWord {
  std::string_view word;
  proxy_protocol::TlvType type;
};
inline constexpr std::array<TlvWord, 6> tlv_words = {{
    {"authority", proxy_protocol::TlvType::authority},
    {"alpn", proxy_protocol::TlvType::alpn},
    {"unique_id", proxy_protocol::TlvType::unique_id},
    {"crc32c", proxy_protocol::TlvType::crc32c},
    {"ssl", proxy_protocol::TlvType::ssl},
    {"netns", proxy_protocol::TlvType::netns},
}};

}  // namespace telltale::conf
