#pragma once

#include "conf/model_service.h"
#include "conf/model_tls.h"
#include "conf/presets.h"
#include "conf/published_ranges.h"
#include "protocol/assertion/assertion.h"
#include "protocol/forwarding/client_address.h"
#include "protocol/http1/parser.h"
#include "protocol/net/cidr.h"
#include "protocol/proxy_protocol/tlv_names.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The configuration as values: validated, with defaults filled in, and immutable once loaded. Every field's reference
/// (type, default, meaning) is the schema table in schema*.cc, from which conf/README.md and `telltale schema` come.
namespace telltale::conf {

// ---- listeners ----

/// Addresses as the file lists them. Published lists stand by their names, so that what they hold can change while the
/// rest stays (conf/apply_ranges.h).
struct RangeList {
  std::vector<net::Cidr> ranges;
  bool includes_unix = false;
  std::vector<std::string> published;
};

enum class ProxyPolicy : std::uint8_t { forbid, ignore, accept, require };
enum class ProxyVersions : std::uint8_t { any, v1, v2 };
struct ProxyProtocolRule {
  net::CidrSet from;
  ProxyPolicy policy = ProxyPolicy::forbid;
  ProxyVersions version = ProxyVersions::any;  ///< the other one closes the connection
  RangeList from_list;                         ///< what `from` comes from
};

/// Signed assertions that are believed, whoever brings them (protocol/assertion).
struct AssertionTrust {
  std::string key_file;
  std::size_t keys = 0;  ///< index into Model::assertion_key_files
  assertion::Window window;
  std::uint8_t tlv = 0;  ///< where it is looked for too, in a PROXY v2 header: 0xE0 to 0xEF; 0: nowhere
};

/// Which fields of a ClientIp a preset filled in.
struct PresetUse {
  const Preset* preset = nullptr;  ///< null: no `behind`
  bool proxy_protocol = false, header = false, trusted = false, trusted_hops = false;
};

/// How a listener learns who the client is.
struct ClientIp {
  PresetUse behind;
  std::vector<ProxyProtocolRule> proxy_protocol;  ///< first match by peer address decides; no match: forbid
  Milliseconds proxy_header_timeout{3000};
  std::size_t proxy_max_header_bytes = 4096;
  unsigned proxy_header_count = 1;
  RangeList trusted_list;  ///< what header.trusted comes from
  forwarding::HeaderTrust header;
  std::optional<AssertionTrust> assertion;  ///< nullopt: none is believed
  bool detect_source_loss = true;           ///< `source_loss: warn`
};

struct ListenerLimits {
  http1::HeadLimits head;
  std::uint64_t max_body_bytes = 0;            ///< 0: no limit; else 413
  std::size_t max_connections = 0;             ///< of this listener, in all workers; 0: no limit
  std::size_t max_connections_per_client = 0;  ///< by resolved layer-1/2 client address, per worker; 0: no limit
};

struct ListenerTimeouts {
  Milliseconds header{10'000};  ///< first octet of a request to the end of its head: 408
  Milliseconds body{60'000};    ///< without progress of a request body: 408
  Milliseconds idle{75'000};    ///< between requests: close
  Milliseconds write{60'000};   ///< without progress of a response: close
};

struct Redirect {
  unsigned status = 308;
  std::string scheme, host, path;  ///< empty: as requested
};
struct FixedAnswer {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

enum class PathType : std::uint8_t { prefix, exact };

/// What a route may ask of a connection: of its PROXY header, or of its own TLS.
struct ConnectionTrait {
  enum class Of : std::uint8_t {
    tlv,                      ///< `selector`
    alpn,                     ///< agreed on; or, of TLS that is passed through, among those offered
    client_cert_verified,     ///< `true` or `false`
    client_cert_subject,      ///< RFC 4514
    client_cert_san,          ///< one of them, with its kind: `DNS:a.example`, `URI:spiffe://…`
    client_cert_fingerprint,  ///< SHA-256, 64 lower-case hexadecimal digits
  };
  Of of = Of::tlv;
  proxy_protocol::TlvSelector selector{};
  friend auto operator<=>(const ConnectionTrait&, const ConnectionTrait&) = default;
};
struct Condition {
  ConnectionTrait trait;
  std::string octets;  ///< exactly
  friend bool operator==(const Condition&, const Condition&) = default;
};
inline constexpr std::size_t max_tlv_conditions = 8;
inline constexpr std::size_t max_conditions = max_tlv_conditions + 5;  ///< and one of each other trait

struct Match {
  std::string host;  ///< lower case, no port; `*.suffix`; empty or `*`: any. With Protocol::tcp the name of the SNI
  std::string path;  ///< empty: any
  PathType path_type = PathType::prefix;  ///< prefix by path element, as Kubernetes Ingress
  std::vector<Condition> conditions;      ///< all of them; sorted, one for each trait, max_conditions at most
};

/// Exactly one of service, redirect, respond.
struct Route {
  std::string name;  ///< for logs; default: host, path and TLVs as written, or "default"
  Match match;
  std::optional<std::size_t> service;  ///< index into Model::services
  /// Where the route has some of its own: these, and the rest of each from the service. nullopt: the service's.
  std::optional<ServiceTimeouts> timeouts;
  std::optional<Retries> retries;
  std::optional<Redirect> redirect;
  std::optional<FixedAnswer> respond;
};

enum class Protocol : std::uint8_t { http, tcp };

struct Listener {
  std::string name;  ///< default: listener-N
  Address listen;
  unsigned unix_mode = 0660;           ///< permissions of a Unix socket
  Protocol protocol = Protocol::http;  ///< tcp: octets go to and fro as they are; all routes lead to services
  bool internal = false;               ///< for clients within the cluster: Service::internal_traffic_policy applies
  ClientIp client_ip;
  std::optional<ListenerTls> tls;  ///< nullopt: none is terminated
  ListenerLimits limits;
  ListenerTimeouts timeouts;
  std::vector<Route> routes;  ///< `service: NAME` at the listener becomes one route that matches all

  /// What its clients speak.
  std::string_view scheme() const { return tls ? "https" : "http"; }
  /// Of a listener with Protocol::tcp and without `tls`: whether its routes need what a ClientHello says.
  bool peeks() const;
};

// ---- process ----

enum class LogFormat : std::uint8_t { human, json };
struct Log {
  std::string level = "info";  ///< trace, debug, info, warn, error, off
  LogFormat format = LogFormat::human;
  std::string file;  ///< empty: standard error
};

enum class AccessLogFormat : std::uint8_t { off, json, text };
struct AccessLog {
  AccessLogFormat format = AccessLogFormat::json;
  std::string file;     ///< empty: standard output
  std::string text;     ///< the template for `text`; ${name} variables, those of the JSON fields
  bool queries = true;  ///< false: targets are logged without theirs
};

struct Admin {
  std::optional<Address> listen = Address{net::IpPort{net::IpAddress::v4(127, 0, 0, 1), 9901}, {}};  ///< nullopt: `off`
  std::size_t explain_requests = 256;  ///< kept by each worker for `/explain`; 0: none
};

struct Drain {
  Milliseconds delay{5000};    ///< readyz says 503, still accepting
  Milliseconds grace{30'000};  ///< requests in flight may finish
};

/// How names are looked up; for the services that have some.
struct Dns {
  std::vector<net::IpPort> servers;  ///< empty: those of /etc/resolv.conf
  Milliseconds timeout{2000};        ///< of one question to one server
  unsigned attempts = 2;             ///< questions to each server
  Milliseconds min_ttl{1000};        ///< an answer is good for its TTL, but not for less
  Milliseconds max_ttl{300'000};     ///< nor for more
  Milliseconds retry{5000};          ///< after a question that failed, which leaves the last good answer in force
};

struct Model {
  unsigned workers = 0;                  ///< 0: one for each core
  std::size_t max_connections = 10'000;  ///< in all; beyond, the oldest idle one is closed, else the new one refused
  Admin admin;
  Log log;
  AccessLog access_log;
  Drain drain;
  std::string ranges_file;                        ///< absolute; empty: the published ranges built in
  std::shared_ptr<const PublishedRanges> ranges;  ///< what they were when this was loaded
  std::string node_name;                          ///< of the node that this process runs on; empty: it stands outside
  std::string zone;                               ///< default: that of the node `node_name`, by service
  Dns dns;
  std::vector<Listener> listeners;
  std::vector<Service> services;
  std::vector<std::string> assertion_key_files;  ///< that any of them names, each once
};

}  // namespace telltale::conf
