#pragma once

#include "conf/address.h"
#include "conf/model_tls.h"
#include "protocol/forwarding/propagate.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// The part of the model that says who serves: see conf/model.h.
namespace telltale::conf {

enum class TrafficPolicy : std::uint8_t { cluster, local };
enum class TrafficDistribution : std::uint8_t { any, prefer_same_zone, prefer_same_node };

// ---- choosing ----

enum class BalancePolicy : std::uint8_t { round_robin, least_request, random, maglev, ring_hash };
/// What maglev and ring_hash go by. A request without that header or cookie goes by the client's address.
enum class HashOn : std::uint8_t { client_address, header, cookie };
struct Balance {
  BalancePolicy policy = BalancePolicy::round_robin;
  HashOn hash_on = HashOn::client_address;
  std::string hash_name;  ///< of the header or cookie
  /// Of maglev: a prime number; of ring_hash: about how many points are on the ring of 64 endpoints or more.
  std::uint32_t table_size = 65537;
};

/// The same resolved client gets the same endpoint while that is ready (Kubernetes: sessionAffinity: ClientIP).
struct SessionAffinity {
  Milliseconds timeout{10'800'000};   ///< since the client's last request
  std::uint32_t max_clients = 65536;  ///< beyond, who was away longest is forgotten
};

// ---- health ----

enum class ProbeKind : std::uint8_t { http, https, tcp, grpc, track };
enum class ProxyOnProbe : std::uint8_t { off, v1, v2 };

struct StatusRange {
  std::uint16_t first = 200, last = 299;
  friend bool operator==(const StatusRange&, const StatusRange&) = default;
};

/// `health:`; health.md, "Probing a node's /healthz".
struct Health {
  ProbeKind kind = ProbeKind::http;
  std::string path = "/healthz";
  std::string host;  ///< Host header, or :authority; default: the target's address
  std::vector<std::pair<std::string, std::string>> headers;  ///< sent with an HTTP probe
  std::vector<StatusRange>
      expect_statuses;                ///< that are healthy; empty: 200-299. 503 means draining unless listed here
  std::string expect_body;            ///< RE2; it must be found in the first 64 KiB; empty: any body
  std::string grpc_service;           ///< of grpc.health.v1; empty: the server as a whole
  std::string track;                  ///< the service whose verdicts are taken, for ProbeKind::track
  BackendTls tls;                     ///< of https; default: the service's
  std::optional<std::uint16_t> port;  ///< default: the serving port
  Milliseconds interval{5000}, timeout{1000};
  Milliseconds fast_interval{1000};  ///< while an outcome differs from the state, and once after the state changed
  unsigned rise = 1;
  unsigned fall = 3;  ///< an explicit 503 needs fall_draining instead
  unsigned fall_draining = 1;
  bool strict = false;                          ///< a 200 with an empty body reads as unknown
  bool weight_from_probe = false;               ///< `weight: probe`: X-Load-Balancing-Endpoint-Weight
  ProxyOnProbe send_proxy = ProxyOnProbe::off;  ///< LOCAL / UNKNOWN before the probe; for probes of the serving port
};

/// `ejection:`; what requests and connections that fail say of an endpoint.
struct Ejection {
  unsigned failures = 5;              ///< in a row: failed connects, resets, timeouts
  std::vector<StatusRange> statuses;  ///< responses that count as failures, too
  Milliseconds time{10'000};          ///< for the first time; twice as long each time, until
  Milliseconds max_time{300'000};     ///< this
  unsigned max_share = 50;            ///< percent of the endpoints that may be out at once; one always may
};

// ---- who serves ----

/// A name to be looked up. Both kinds may give any number of addresses.
struct DnsName {
  enum class Kind : std::uint8_t { address, srv };  ///< A and AAAA, with `port`; or SRV, which brings ports
  Kind kind = Kind::address;
  std::string name;
  std::uint16_t port = 0;
  friend bool operator==(const DnsName&, const DnsName&) = default;
};

struct Endpoint {
  Address address;             ///< not set where there is a name
  std::optional<DnsName> dns;  ///< one endpoint for each address that is found
  std::string host_name;       ///< of each of these: what was looked up
  std::string name;            ///< default: the address as written
  std::uint32_t weight = 1;    ///< 0: gets no traffic
  unsigned priority = 0;       ///< those of a greater number serve only while none of a smaller one can
  std::string zone;            ///< default: its node's
  std::vector<std::string> for_zones, for_nodes;  ///< hints; default: its own zone and node
  /// As in an EndpointSlice (KEP-1669): `serving` says what its readiness probe says, whether terminating or not.
  bool serving = true, terminating = false;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Node {
  std::string name;                   ///< default: the address
  std::string host;                   ///< IP address; or a name: one node for each address that is found
  std::optional<std::uint16_t> port;  ///< NodePort; default Service::port
  std::string zone;
  std::uint32_t weight = 1;
  std::optional<std::uint16_t> health_port;  ///< overrides node_health.port, or else health.port
  std::vector<Endpoint> endpoints;           ///< traffic goes straight to these if there are any
  std::string host_name;                     ///< of each address that was found: what was looked up
  friend bool operator==(const Node&, const Node&) = default;
};

// ---- surviving ----

struct ServiceTimeouts {
  Milliseconds connect{5000};
  Milliseconds response{60'000};  ///< request sent to response head: 504
  Milliseconds idle{60'000};      ///< without progress of a response's body or a tunnel: cut
  Milliseconds total{0};          ///< head of the request to the end of the response: 504 or cut; 0: no limit
};

/// Further tries, each on another endpoint where there is one, before any octet of a response reached the client.
struct Retries {
  unsigned attempts = 1;        ///< after the first try; at most 3
  bool connect_failure = true;  ///< nothing was sent
  bool reset = false;           ///< the connection ended before a response; idempotent requests without a body alone
  bool timeout = false;         ///< no response in time (per_try_timeout, timeouts.response); likewise
  std::vector<StatusRange> statuses;  ///< such a response is dropped; likewise
  Milliseconds per_try_timeout{0};    ///< request sent to response head, for each try; 0: timeouts.response alone
  unsigned budget = 20;  ///< percent of a worker's requests in flight that may be retries, after failed connects aside
  unsigned min_concurrent = 3;  ///< which may be, whatever the percentage says
};

/// Of one service, in all workers. 0: no limit.
struct CircuitBreakers {
  std::uint32_t max_connections = 0;   ///< to the backends, idle ones included; beyond: wait
  std::uint32_t max_pending = 1024;    ///< requests that wait for a connection; beyond: 503
  Milliseconds pending_timeout{5000};  ///< 503
  std::uint32_t max_requests = 0;      ///< in flight; beyond: 503
  std::uint32_t max_retries = 0;       ///< in flight; beyond: no retry
};

struct Pool {
  std::size_t max_idle = 64;              ///< idle connections kept per endpoint and worker
  std::size_t max_idle_identities = 256;  ///< idle PROXY-carrying connections kept per endpoint and worker, LRU
  Milliseconds idle_timeout{30'000};      ///< keep below the backend's own keep-alive timeout
};

struct Service {
  std::string name;  ///< `namespace/name`, or a name in the namespace `default`
  TrafficPolicy external_traffic_policy = TrafficPolicy::cluster;
  TrafficPolicy internal_traffic_policy = TrafficPolicy::cluster;
  TrafficDistribution traffic_distribution = TrafficDistribution::any;
  std::optional<SessionAffinity> session_affinity;
  Balance balance;
  std::optional<std::uint16_t> port;
  std::vector<Node> nodes;
  std::vector<Endpoint> endpoints;
  std::optional<BackendTls> tls;      ///< nullopt: its endpoints speak none
  std::string endpoints_file;         ///< absolute; more nodes and endpoints, followed as it changes; empty: none
  std::optional<Health> health;       ///< of each endpoint or, without node_health, node; none: it counts as healthy
  std::optional<Health> node_health;  ///< of each node, beside what `health` says of where it serves
  std::optional<Ejection> ejection;
  Milliseconds slow_start{0};  ///< an endpoint that comes (back) gets its full share after this time; 0: at once
  std::optional<Address> health_check_node_port;  ///< where we answer as kube-proxy's health check port does
  forwarding::Propagate propagate;
  ServiceTimeouts timeouts;
  Retries retries;
  CircuitBreakers circuit_breakers;
  Pool pool;
};

}  // namespace telltale::conf
