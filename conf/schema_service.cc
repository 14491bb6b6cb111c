// The rows of `services:` but for who serves (schema_endpoint.cc), probes (schema_health.cc) and what backends are told
// (schema_propagate.cc).
#include "conf/schema.h"

namespace telltale::conf {
namespace {

constexpr std::uint64_t ms = 1, second = 1000, hour = 3'600'000, day = 24 * hour;

constexpr Field balance_fields[] = {
    {.name = "policy",
     .type = Type::word,
     .words = "round_robin|least_request|random|maglev|ring_hash",
     .meaning =
         "`round_robin`: in turn, by weight. `least_request`: of two at random the one with fewer requests for its "
         "weight. `random`: by weight. `maglev`, `ring_hash`: by a hash, so that the same key gets the same "
         "endpoint while it serves; `ring_hash` moves fewest keys when one comes or goes, `maglev` spreads them "
         "most evenly.",
     .required = true},
    {.name = "hash_on",
     .type = Type::word,
     .words = "client_address|header|cookie",
     .fallback = "client_address",
     .meaning = "With `maglev` and `ring_hash`: what the key is. A request without that header or cookie goes by the "
                "client's address."},
    {.name = "name", .type = Type::text, .meaning = "With `hash_on: header` or `cookie`: of the header or cookie."},
    {.name = "table_size",
     .type = Type::integer,
     .min = 2,
     .max = 8'388'608,
     .fallback = "65537",
     .meaning =
         "Of `maglev`: a prime number, up to 5000011, at least a hundred times the number of endpoints. Of "
         "`ring_hash`: about how many points are on the ring of 64 endpoints or more, from 1024; fewer endpoints "
         "have as many each."},
};
constexpr Field session_affinity_fields[] = {
    {.name = "type",
     .type = Type::word,
     .words = "none|client_ip",
     .fallback = "client_ip",
     .meaning = "Kubernetes' `sessionAffinity`."},
    {.name = "timeout",
     .type = Type::duration,
     .min = second,
     .max = day,
     .fallback = "3h",
     .meaning = "Since the client's last request; then it is chosen for anew."},
    {.name = "max_clients",
     .type = Type::integer,
     .min = 1,
     .max = 10'000'000,
     .fallback = "65536",
     .meaning = "That are remembered. Beyond, who was away longest is forgotten."},
};
constexpr Field ejection_fields[] = {
    {.name = "failures",
     .type = Type::integer,
     .min = 1,
     .max = 10'000,
     .fallback = "5",
     .meaning = "In a row: failed connects, resets, timeouts, and responses of `statuses`."},
    {.name = "statuses",
     .type = Type::statuses,
     .fallback = "[]",
     .meaning = "Responses that count as failures: `[\"500-599\"]`."},
    {.name = "time",
     .type = Type::duration,
     .min = 10 * ms,
     .max = day,
     .fallback = "10s",
     .meaning = "How long it is out for the first time; each further time twice as long."},
    {.name = "max_time", .type = Type::duration, .min = 10 * ms, .max = day, .fallback = "5m", .meaning = "At most."},
    {.name = "max_share",
     .type = Type::integer,
     .min = 0,
     .max = 100,
     .fallback = "50",
     .meaning = "Percent of the endpoints that may be out at once; one always may."},
};
constexpr Field service_timeouts_fields[] = {
    {.name = "connect",
     .type = Type::duration,
     .min = ms,
     .max = hour,
     .fallback = "5s",
     .meaning = "To connect to an endpoint, the handshake of TLS included."},
    {.name = "response",
     .type = Type::duration,
     .min = ms,
     .max = day,
     .fallback = "1m",
     .meaning = "From the request sent to the response head: 504."},
    {.name = "idle",
     .type = Type::duration,
     .min = ms,
     .max = day,
     .fallback = "1m",
     .meaning = "Without progress of a response's body, or of a tunnel: it is cut."},
    {.name = "total",
     .type = Type::duration,
     .min = 0,
     .max = day,
     .fallback = "0s",
     .meaning = "From the head of the request to the end of the response, tries and all: 504, or it is cut. Not of a "
                "tunnel: there only `idle` counts. 0s: no limit."},
};
constexpr Field retries_fields[] = {
    {.name = "attempts",
     .type = Type::integer,
     .min = 0,
     .max = 3,
     .fallback = "1",
     .meaning = "After the first one, each on another endpoint where there is one."},
    {.name = "on",
     .type = Type::words,
     .words = "connect_failure|reset|timeout",
     .fallback = "[connect_failure]",
     .meaning = "What is tried again. `connect_failure`: nothing was sent. `reset`: the connection ended before a "
                "response; `timeout`: none came in time; both only for idempotent requests of which no body was begun. "
                "After a failed connect only another endpoint is tried; else the same one if there is no other."},
    {.name = "statuses",
     .type = Type::statuses,
     .fallback = "[]",
     .meaning = "Responses that are dropped and tried again, `[502, 503, 504]`; likewise."},
    {.name = "per_try_timeout",
     .type = Type::duration,
     .min = 0,
     .max = day,
     .fallback = "0s",
     .meaning = "From the request sent to the response head, for each try. 0s: `timeouts.response` alone."},
    {.name = "budget",
     .type = Type::integer,
     .min = 0,
     .max = 100,
     .fallback = "20",
     .meaning =
         "Percent of a worker's requests in flight that may be retries: what is down is not hit harder. A failed "
         "connect does not count: nobody was asked."},
    {.name = "min_concurrent",
     .type = Type::integer,
     .min = 0,
     .max = 10'000,
     .fallback = "3",
     .meaning = "Retries that a worker may have in flight whatever the percentage says."},
};
constexpr Field circuit_breakers_fields[] = {
    {.name = "max_connections",
     .type = Type::integer,
     .min = 0,
     .max = 10'000'000,
     .fallback = "0",
     .meaning = "To the backends, idle ones included; beyond, requests wait. 0: no limit."},
    {.name = "max_pending",
     .type = Type::integer,
     .min = 0,
     .max = 10'000'000,
     .fallback = "1024",
     .meaning = "Requests that wait for a connection; beyond: 503. 0: no limit."},
    {.name = "pending_timeout",
     .type = Type::duration,
     .min = ms,
     .max = hour,
     .fallback = "5s",
     .meaning = "How long they wait: 503."},
    {.name = "max_requests",
     .type = Type::integer,
     .min = 0,
     .max = 10'000'000,
     .fallback = "0",
     .meaning = "In flight; beyond: 503. 0: no limit."},
    {.name = "max_retries",
     .type = Type::integer,
     .min = 0,
     .max = 10'000'000,
     .fallback = "0",
     .meaning = "In flight; beyond: no retry. 0: no limit but the budget."},
};
constexpr Field pool_fields[] = {
    {.name = "max_idle",
     .type = Type::integer,
     .min = 0,
     .max = 100'000,
     .fallback = "64",
     .meaning = "Idle connections kept for each endpoint and worker."},
    {.name = "max_idle_identities",
     .type = Type::integer,
     .min = 0,
     .max = 100'000,
     .fallback = "256",
     .meaning =
         "Idle connections that carried a PROXY header or come from a client's address, each for its client only; the "
         "longest unused goes first."},
    {.name = "idle_timeout",
     .type = Type::duration,
     .min = ms,
     .max = day,
     .fallback = "30s",
     .meaning = "Keep it below the backend's own keep-alive timeout."},
};
constexpr Field service_fields[] = {
    {.name = "name",
     .type = Type::text,
     .meaning = "What routes call it: `namespace/name`, or a name in the namespace `default`.",
     .required = true},
    {.name = "external_traffic_policy",
     .type = Type::word,
     .words = "cluster|local",
     .fallback = "cluster",
     .meaning =
         "`local`: only endpoints of our own node if `node_name` says which that is; else only nodes whose probe "
         "says that they have endpoints of their own."},
    {.name = "internal_traffic_policy",
     .type = Type::word,
     .words = "cluster|local",
     .fallback = "cluster",
     .meaning = "Likewise, for listeners with `internal: true`. `local` needs `node_name`."},
    {.name = "traffic_distribution",
     .type = Type::word,
     .words = "any|prefer_same_zone|prefer_same_node",
     .fallback = "any",
     .meaning =
         "Endpoints hinted for our zone, or our node and else our zone; all, unless every ready one (of the priority "
         "that serves) has a hint and one matches. Not where a policy of `local` keeps to our own node."},
    {.name = "session_affinity",
     .type = Type::object,
     .words = "none|client_ip",
     .object = &schema::session_affinity,
     .fallback = "none",
     .meaning =
         "`client_ip`: the same client, as `client_ip` of the listener finds it, gets the same endpoint while that "
         "is ready."},
    {.name = "balance",
     .type = Type::object,
     .words = "round_robin|least_request|random|maglev|ring_hash",
     .object = &schema::balance,
     .fallback = "round_robin",
     .meaning = "How one of them is chosen: a policy, or a policy and its settings."},
    {.name = "port", .type = Type::integer, .min = 1, .max = 65535, .meaning = "The NodePort of nodes that name none."},
    {.name = "nodes", .type = Type::objects, .object = &schema::node, .meaning = "Hosts, each with its health."},
    {.name = "endpoints",
     .type = Type::endpoints,
     .object = &schema::endpoint,
     .meaning = "Addresses, or names, that serve, of no node."},
    {.name = "tls",
     .type = Type::object,
     .object = &schema::service_tls,
     .meaning = "TLS to every endpoint, behind the PROXY header if there is one. Default: none is spoken."},
    {.name = "endpoints_file",
     .type = Type::text,
     .meaning =
         "More `nodes` and `endpoints`, in a file with these two fields, YAML or JSON; followed when it changes. An "
         "absolute path."},
    {.name = "health",
     .type = Type::object,
     .object = &schema::health,
     .meaning = "The probe of each node, or of each endpoint without one; beside `node_health`, of where each serves. "
                "Default: none, all count as healthy."},
    {.name = "node_health",
     .type = Type::object,
     .object = &schema::health,
     .meaning = "A probe of each node besides, with the fields of `health`: an endpoint serves only if both allow it. "
                "It needs "
                "a `port` (kube-proxy's own is 10256), or the nodes a `health_port`. Default: none."},
    {.name = "health_check_node_port",
     .type = Type::socket,
     .meaning =
         "Where Telltale answers for this service as kube-proxy does at a healthCheckNodePort: 200 while it has an "
         "endpoint for external traffic, else 503. A port alone is on every interface."},
    {.name = "ejection",
     .type = Type::object,
     .words = "true|false",
     .object = &schema::ejection,
     .fallback = "false",
     .meaning = "Endpoints whose requests fail get none for a while, or until a probe brings them back."},
    {.name = "slow_start",
     .type = Type::duration,
     .min = 0,
     .max = hour,
     .fallback = "0s",
     .meaning = "How long an endpoint that comes, or comes back, takes to its full share. 0s: it has it at once."},
    {.name = "propagate",
     .type = Type::object,
     .object = &schema::propagate,
     .meaning = "How the backends are told who the client is."},
    {.name = "timeouts",
     .type = Type::object,
     .object = &schema::service_timeouts,
     .meaning = "How long they may take."},
    {.name = "retries",
     .type = Type::object,
     .words = "0|1|2|3",
     .object = &schema::retries,
     .fallback = "1",
     .meaning = "Further tries before any octet of a response went to the client: how many, or how many and when."},
    {.name = "circuit_breakers",
     .type = Type::object,
     .object = &schema::circuit_breakers,
     .meaning = "What may be under way at once, in all workers."},
    {.name = "pool", .type = Type::object, .object = &schema::pool, .meaning = "Connections kept open to them."},
};

}  // namespace

namespace schema {
constinit const Object service = {"services[]", "A service", service_fields};
constinit const Object balance = {"services[].balance", "How an endpoint is chosen", balance_fields};
constinit const Object session_affinity = {"services[].session_affinity", "Session affinity", session_affinity_fields};
constinit const Object ejection = {"services[].ejection", "Ejection of endpoints that fail", ejection_fields};
constinit const Object service_timeouts = {"services[].timeouts", "Timeouts of the backend's side",
                                           service_timeouts_fields};
constinit const Object retries = {"services[].retries", "Retries", retries_fields};
constinit const Object circuit_breakers = {"services[].circuit_breakers", "Circuit breakers", circuit_breakers_fields};
constinit const Object pool = {"services[].pool", "The connection pool", pool_fields};
}  // namespace schema

}  // namespace telltale::conf
