#include "conf/schema.h"

namespace telltale::conf {
namespace {

constexpr std::uint64_t ms = 1, hour = 3'600'000, day = 24 * hour;
constexpr std::uint64_t KiB = 1024, MiB = 1024 * KiB;

constexpr Field drain_fields[] = {
    {.name = "delay", .type = Type::duration, .min = 0, .max = hour, .fallback = "5s",
     .meaning = "After SIGTERM: how long `/readyz` says 503 while connections are still accepted, so that the load "
                "balancer notices."},
    {.name = "grace", .type = Type::duration, .min = 0, .max = day, .fallback = "30s",
     .meaning = "Then: how long requests in flight may take to finish."},
};
constexpr Field admin_fields[] = {
    {.name = "listen", .type = Type::address, .fallback = "127.0.0.1:9901",
     .meaning = "Where `/livez`, `/readyz`, `/metrics` and `/services` answer. It has no authentication: keep it on "
                "loopback or a Unix socket."},
};
constexpr Field log_fields[] = {
    {.name = "level", .type = Type::word, .words = "trace|debug|info|warn|error|off", .fallback = "info",
     .meaning = "The least severity that is logged."},
    {.name = "format", .type = Type::word, .words = "human|json", .fallback = "human", .meaning = "One line a message."},
    {.name = "file", .type = Type::text, .meaning = "Appended to, reopened at SIGUSR1. Default: standard error."},
};
constexpr Field access_log_fields[] = {
    {.name = "format", .type = Type::word, .words = "json|text|off", .fallback = "json",
     .meaning = "One line a request; `text` follows the template."},
    {.name = "file", .type = Type::text, .meaning = "Appended to, reopened at SIGUSR1. Default: standard output."},
    {.name = "text", .type = Type::format,
     .meaning = "The template of `format: text`; `${name}` is the JSON record's field of that name. Environment "
                "variables are not expanded in it."},
};

constexpr Field proxy_protocol_rule_fields[] = {
    {.name = "from", .type = Type::ranges, .meaning = "Peers this rule is for, by the address of their socket; `unix`: "
     "whoever connects to a Unix socket.", .required = true},
    {.name = "policy", .type = Type::word, .words = "require|accept|ignore|forbid",
     .meaning = "`require`: a PROXY header must come. `accept`: it is used if the first octets are its signature. "
                "`ignore`: it is read and dropped. `forbid`: a signature closes the connection.", .required = true},
};
constexpr Field client_ip_fields[] = {
    {.name = "proxy_protocol", .type = Type::objects, .object = &schema::proxy_protocol_rule,
     .meaning = "Who sends a PROXY header. The first rule that contains the peer decides; no match: `forbid`."},
    {.name = "proxy_header_timeout", .type = Type::duration, .min = ms, .max = hour, .fallback = "3s",
     .meaning = "From accept to the end of the PROXY header; then the connection is closed."},
    {.name = "proxy_max_header_bytes", .type = Type::size, .min = 216, .max = 65535, .fallback = "4KiB",
     .meaning = "Longest PROXY v2 header, by its declared length."},
    {.name = "proxy_header_count", .type = Type::integer, .min = 1, .max = 8, .fallback = "1",
     .meaning = "PROXY headers in a row that are read, from balancers in a chain; one more is a failure."},
    {.name = "header", .type = Type::text, .fallback = "x-forwarded-for",
     .meaning = "The one header that is believed, from `trusted` hops: `x-forwarded-for`, `forwarded`, `none`, or the "
                "name of a header that holds a single address, such as `cf-connecting-ip`."},
    {.name = "trusted", .type = Type::ranges, .fallback = "[]",
     .meaning = "Hops whose header is believed. Nobody by default, private ranges included. The header is walked from "
                "right to left; the first address outside these ranges is the client."},
    {.name = "trusted_hops", .type = Type::integer, .min = 0, .max = 32, .fallback = "0",
     .meaning = "Instead of walking by `trusted`: exactly this many hops wrote the list, counted from the right. The "
                "peer must still be in `trusted`. 0: walk by ranges."},
    {.name = "identity_headers", .type = Type::names, .fallback = "[]",
     .meaning = "More header names that claim to say who the client is, to be removed like the known ones."},
};
constexpr Field listener_limits_fields[] = {
    {.name = "max_head_bytes", .type = Type::size, .min = 256, .max = 16 * MiB, .fallback = "32KiB",
     .meaning = "Request line and fields; beyond: 431."},
    {.name = "max_target_bytes", .type = Type::size, .min = 16, .max = 16 * MiB, .fallback = "8KiB",
     .meaning = "Request target; beyond: 414."},
    {.name = "max_fields", .type = Type::integer, .min = 1, .max = 10'000, .fallback = "100",
     .meaning = "Header fields of a request; beyond: 431."},
    {.name = "max_body_bytes", .type = Type::size, .min = 0, .max = UINT64_MAX / 2, .fallback = "0",
     .meaning = "Request body; beyond: 413. 0: no limit."},
    {.name = "max_connections", .type = Type::integer, .min = 0, .max = 10'000'000, .fallback = "0",
     .meaning = "Connections of this listener, over all workers. 0: no limit but the process's."},
    {.name = "max_connections_per_client", .type = Type::integer, .min = 0, .max = 10'000'000, .fallback = "0",
     .meaning = "Connections from one client address (as the socket or its PROXY header says), for each worker. 0: no "
                "limit."},
    {.name = "underscores", .type = Type::word, .words = "pass|drop|reject", .fallback = "pass",
     .meaning = "Fields with `_` in their name. Those that read as a known field with `-` are always treated as that "
                "field."},
};
constexpr Field listener_timeouts_fields[] = {
    {.name = "header", .type = Type::duration, .min = ms, .max = day, .fallback = "10s",
     .meaning = "From the first octet of a request to the end of its head: 408."},
    {.name = "body", .type = Type::duration, .min = ms, .max = day, .fallback = "1m",
     .meaning = "Without progress of a request body: 408."},
    {.name = "idle", .type = Type::duration, .min = ms, .max = day, .fallback = "75s",
     .meaning = "Between requests: the connection is closed."},
    {.name = "write", .type = Type::duration, .min = ms, .max = day, .fallback = "1m",
     .meaning = "Without progress of a response: the connection is closed."},
};
constexpr Field match_fields[] = {
    {.name = "host", .type = Type::text, .fallback = "\"*\"",
     .meaning = "Exact, or `*.suffix` for every name below it, without a port. The most specific host wins."},
    {.name = "path", .type = Type::text, .fallback = "/",
     .meaning = "Within the host an exact path wins, then the longest prefix."},
    {.name = "path_type", .type = Type::word, .words = "prefix|exact", .fallback = "prefix",
     .meaning = "`prefix` compares whole path elements, as a Kubernetes Ingress does: `/api` matches `/api/x` and not "
                "`/apix`."},
};
constexpr Field redirect_fields[] = {
    {.name = "scheme", .type = Type::word, .words = "http|https", .meaning = "Default: as requested."},
    {.name = "host", .type = Type::text, .meaning = "Host, or host:port. Default: as requested."},
    {.name = "path", .type = Type::text, .meaning = "Path, with a query if it is to have one. Default: both as requested."},
    {.name = "status", .type = Type::integer, .min = 301, .max = 308, .fallback = "308",
     .meaning = "301, 302, 303, 307 or 308."},
};
constexpr Field respond_fields[] = {
    {.name = "status", .type = Type::integer, .min = 200, .max = 599, .fallback = "200", .meaning = "The status code."},
    {.name = "content_type", .type = Type::text, .fallback = "text/plain; charset=utf-8",
     .meaning = "The Content-Type field."},
    {.name = "body", .type = Type::prose, .fallback = "\"\"", .meaning = "The body."},
};
constexpr Field route_fields[] = {
    {.name = "name", .type = Type::text,
     .meaning = "For logs. Default: host and path as written, or `default`."},
    {.name = "match", .type = Type::object, .object = &schema::match,
     .meaning = "Which requests. Default: those that no other route matches."},
    {.name = "service", .type = Type::text, .meaning = "To this service's backends."},
    {.name = "redirect", .type = Type::object, .object = &schema::redirect, .meaning = "To another URL."},
    {.name = "respond", .type = Type::object, .object = &schema::respond, .meaning = "A fixed answer."},
};
constexpr Field listener_fields[] = {
    {.name = "name", .type = Type::text, .meaning = "For logs and metrics. Default: `listener-1`, `listener-2`, …"},
    {.name = "listen", .type = Type::address,
     .meaning = "Where to listen. `:8080` is every interface, IPv6 and IPv4; port 0 takes a free one.", .required = true},
    {.name = "protocol", .type = Type::word, .words = "http", .fallback = "http", .meaning = "HTTP/1.1 and 1.0."},
    {.name = "unix_mode", .type = Type::mode, .fallback = "\"0660\"", .meaning = "Permissions of a Unix socket."},
    {.name = "client_ip", .type = Type::object, .object = &schema::client_ip,
     .meaning = "How this listener learns who the client is. Default: from the socket alone."},
    {.name = "limits", .type = Type::object, .object = &schema::listener_limits, .meaning = "What a client may use."},
    {.name = "timeouts", .type = Type::object, .object = &schema::listener_timeouts, .meaning = "How long it may take."},
    {.name = "service", .type = Type::text, .meaning = "Everything goes to this service; instead of `routes`."},
    {.name = "routes", .type = Type::objects, .object = &schema::route,
     .meaning = "Which request goes where, by the most specific match. No match: 404."},
};

constexpr Field endpoint_fields[] = {
    {.name = "address", .type = Type::address, .meaning = "Where it serves.", .required = true},
    {.name = "name", .type = Type::text, .meaning = "For logs and metrics. Default: the address."},
    {.name = "weight", .type = Type::integer, .min = 0, .max = 65535, .fallback = "1",
     .meaning = "Its share of the traffic against the others' weights. 0: none."},
};
constexpr Field node_fields[] = {
    {.name = "name", .type = Type::text, .meaning = "For logs and metrics. Default: the address."},
    {.name = "address", .type = Type::ip, .meaning = "The host's IP address.", .required = true},
    {.name = "port", .type = Type::integer, .min = 1, .max = 65535,
     .meaning = "The NodePort. Default: the service's `port`."},
    {.name = "zone", .type = Type::text, .meaning = "Shown; for zone-aware choice later."},
    {.name = "weight", .type = Type::integer, .min = 0, .max = 65535, .fallback = "1",
     .meaning = "Its share of the traffic against the others' weights. 0: none."},
    {.name = "health_port", .type = Type::integer, .min = 1, .max = 65535,
     .meaning = "The healthCheckNodePort of this node. Default: `health.port`."},
    {.name = "endpoints", .type = Type::endpoints, .object = &schema::endpoint,
     .meaning = "Traffic goes straight to these instead of the NodePort; the node's health still counts."},
};
constexpr Field health_fields[] = {
    {.name = "http", .type = Type::text, .fallback = "/healthz", .meaning = "GET this path: 200 is healthy."},
    {.name = "tcp", .type = Type::boolean, .fallback = "false", .meaning = "Only connect, instead of `http`."},
    {.name = "port", .type = Type::integer, .min = 1, .max = 65535,
     .meaning = "Where to probe, such as a healthCheckNodePort. Default: the serving port."},
    {.name = "host", .type = Type::text, .meaning = "The Host field of the probe. Default: the target's address."},
    {.name = "interval", .type = Type::duration, .min = 10 * ms, .max = day, .fallback = "5s",
     .meaning = "Between probes, ± 10 %."},
    {.name = "timeout", .type = Type::duration, .min = ms, .max = hour, .fallback = "1s", .meaning = "Of one probe."},
    {.name = "rise", .type = Type::integer, .min = 1, .max = 100, .fallback = "1",
     .meaning = "Successes in a row that make it healthy."},
    {.name = "fall", .type = Type::integer, .min = 1, .max = 100, .fallback = "3",
     .meaning = "Failures in a row that make it unhealthy."},
    {.name = "fall_draining", .type = Type::integer, .min = 1, .max = 100, .fallback = "1",
     .meaning = "Explicit 503s in a row that make it draining."},
    {.name = "strict", .type = Type::boolean, .fallback = "false",
     .meaning = "A 200 with an empty body reads as unknown: a service that has just closed answers so."},
    {.name = "weight", .type = Type::word, .words = "config|probe", .fallback = "config",
     .meaning = "`probe`: the node's weight is what `X-Load-Balancing-Endpoint-Weight` says."},
    {.name = "send_proxy", .type = Type::word, .words = "false|true|v1|v2", .fallback = "false",
     .meaning = "A PROXY header before the probe: v2 `LOCAL` (`true`, `v2`) or v1 `UNKNOWN`. Only for the serving port: "
                "kube-proxy's health port does not speak it."},
};
constexpr Field forwarded_fields[] = {
    {.name = "mode", .type = Type::word, .words = "off|append|replace|remove|pass",
     .meaning = "As for `x_forwarded_for`; `off`: none is added.", .required = true},
    {.name = "parameters", .type = Type::words, .words = "for|by|host|proto", .fallback = "[for, proto]",
     .meaning = "What an element says."},
    {.name = "ports", .type = Type::boolean, .fallback = "false", .meaning = "Whether `for` and `by` have their port."},
};
constexpr Field propagate_fields[] = {
    {.name = "x_forwarded_for", .type = Type::word, .words = "append|replace|remove|pass", .fallback = "append",
     .meaning = "`append`: the list of a trusted hop, and that hop. `replace`: the client alone. `remove`: none. "
                "`pass`: whatever came, forged or not."},
    {.name = "forwarded", .type = Type::object, .words = "off|append|replace|remove|pass", .object = &schema::forwarded,
     .fallback = "off", .meaning = "The RFC 7239 field: a mode, or mode and parameters."},
    {.name = "x_forwarded_proto", .type = Type::boolean, .fallback = "false", .meaning = "The scheme the client used."},
    {.name = "x_forwarded_host", .type = Type::boolean, .fallback = "false", .meaning = "The host the client asked for."},
    {.name = "x_forwarded_port", .type = Type::boolean, .fallback = "false", .meaning = "The port the client aimed at."},
    {.name = "x_real_ip", .type = Type::boolean, .fallback = "false", .meaning = "The client's address alone."},
    {.name = "via", .type = Type::boolean, .fallback = "true", .meaning = "`Via: 1.1 telltale`."},
    {.name = "proxy_protocol", .type = Type::word, .words = "off|v1|v2", .fallback = "off",
     .meaning = "Each connection to a backend opens with a PROXY header that names the client, and is never used for "
                "another."},
    {.name = "tlvs", .type = Type::words, .words = "authority|alpn|unique_id|crc32c", .fallback = "[]",
     .meaning = "With `proxy_protocol: v2`: what the header says besides the addresses."},
};
constexpr Field service_timeouts_fields[] = {
    {.name = "connect", .type = Type::duration, .min = ms, .max = hour, .fallback = "5s",
     .meaning = "To connect to an endpoint."},
    {.name = "response", .type = Type::duration, .min = ms, .max = day, .fallback = "1m",
     .meaning = "From the request sent to the response head, and without progress of its body after that: 504."},
};
constexpr Field pool_fields[] = {
    {.name = "max_idle", .type = Type::integer, .min = 0, .max = 100'000, .fallback = "64",
     .meaning = "Idle connections kept for each endpoint and worker."},
    {.name = "max_idle_identities", .type = Type::integer, .min = 0, .max = 100'000, .fallback = "256",
     .meaning = "Idle connections that carried a PROXY header, each for its client only; the longest unused goes first."},
    {.name = "idle_timeout", .type = Type::duration, .min = ms, .max = day, .fallback = "30s",
     .meaning = "Keep it below the backend's own keep-alive timeout."},
};
constexpr Field service_fields[] = {
    {.name = "name", .type = Type::text, .meaning = "What routes call it.", .required = true},
    {.name = "external_traffic_policy", .type = Type::word, .words = "cluster|local", .fallback = "cluster",
     .meaning = "`local`: only nodes whose probe says that they have endpoints of their own."},
    {.name = "balance", .type = Type::word, .words = "round_robin", .fallback = "round_robin",
     .meaning = "Weighted round robin."},
    {.name = "port", .type = Type::integer, .min = 1, .max = 65535, .meaning = "The NodePort of nodes that name none."},
    {.name = "nodes", .type = Type::objects, .object = &schema::node, .meaning = "Hosts, each with its health."},
    {.name = "endpoints", .type = Type::endpoints, .object = &schema::endpoint,
     .meaning = "Addresses that serve, of no node."},
    {.name = "health", .type = Type::object, .object = &schema::health,
     .meaning = "The probe of each node, or of each endpoint without one. Default: none, all count as healthy."},
    {.name = "propagate", .type = Type::object, .object = &schema::propagate,
     .meaning = "How the backends are told who the client is."},
    {.name = "timeouts", .type = Type::object, .object = &schema::service_timeouts, .meaning = "How long they may take."},
    {.name = "pool", .type = Type::object, .object = &schema::pool, .meaning = "Connections kept open to them."},
    {.name = "retries", .type = Type::integer, .min = 0, .max = 1, .fallback = "1",
     .meaning = "On another endpoint, after a failed connect, before any octet was sent."},
};
constexpr Field root_fields[] = {
    {.name = "workers", .type = Type::integer, .words = "auto", .min = 1, .max = 1024, .fallback = "auto",
     .meaning = "Threads with an event loop each; `auto`: one for each core."},
    {.name = "max_connections", .type = Type::integer, .min = 1, .max = 10'000'000, .fallback = "10000",
     .meaning = "Client connections in all. Beyond, the one that is idle longest is closed, else the new one refused."},
    {.name = "admin", .type = Type::object, .words = "off", .object = &schema::admin, .meaning = "The admin server."},
    {.name = "log", .type = Type::object, .object = &schema::log, .meaning = "What the process says of itself."},
    {.name = "access_log", .type = Type::object, .words = "off", .object = &schema::access_log,
     .meaning = "A line for each request."},
    {.name = "drain", .type = Type::object, .object = &schema::drain, .meaning = "How it ends."},
    {.name = "listeners", .type = Type::objects, .object = &schema::listener, .meaning = "Where clients connect.",
     .required = true},
    {.name = "services", .type = Type::objects, .object = &schema::service, .meaning = "Where requests go."},
};

}  // namespace

namespace schema {
constinit const Object root = {"", "The file", root_fields};
constinit const Object admin = {"admin", "The admin server, or `admin: off`", admin_fields};
constinit const Object log = {"log", "The log", log_fields};
constinit const Object access_log = {"access_log", "The access log, or `access_log: off`", access_log_fields};
constinit const Object drain = {"drain", "Draining", drain_fields};
constinit const Object listener = {"listeners[]", "A listener", listener_fields, "service|routes"};
constinit const Object client_ip = {"listeners[].client_ip", "Who the client is", client_ip_fields};
constinit const Object proxy_protocol_rule = {"listeners[].client_ip.proxy_protocol[]", "Who sends a PROXY header",
                                              proxy_protocol_rule_fields};
constinit const Object listener_limits = {"listeners[].limits", "Limits", listener_limits_fields};
constinit const Object listener_timeouts = {"listeners[].timeouts", "Timeouts of the client's side",
                                            listener_timeouts_fields};
constinit const Object route = {"listeners[].routes[]", "A route", route_fields, "service|redirect|respond"};
constinit const Object match = {"listeners[].routes[].match", "What a route matches", match_fields};
constinit const Object redirect = {"listeners[].routes[].redirect", "A redirect", redirect_fields};
constinit const Object respond = {"listeners[].routes[].respond", "A fixed answer", respond_fields};
constinit const Object service = {"services[]", "A service", service_fields};
constinit const Object node = {"services[].nodes[]", "A node", node_fields};
constinit const Object endpoint = {"services[].endpoints[]", "An endpoint, or its address alone", endpoint_fields};
constinit const Object health = {"services[].health", "The probe", health_fields};
constinit const Object propagate = {"services[].propagate", "What the backends are told", propagate_fields};
constinit const Object forwarded = {"services[].propagate.forwarded", "The Forwarded field, or its mode alone",
                                    forwarded_fields};
constinit const Object service_timeouts = {"services[].timeouts", "Timeouts of the backend's side",
                                           service_timeouts_fields};
constinit const Object pool = {"services[].pool", "The connection pool", pool_fields};
}  // namespace schema

std::span<const Object* const> all_objects() {
  static constexpr const Object* list[] = {
      &schema::root,          &schema::admin,   &schema::log,       &schema::access_log,
      &schema::drain,         &schema::listener, &schema::client_ip, &schema::proxy_protocol_rule,
      &schema::listener_limits, &schema::listener_timeouts, &schema::route, &schema::match,
      &schema::redirect,      &schema::respond, &schema::service,   &schema::node,
      &schema::endpoint,      &schema::health,  &schema::propagate, &schema::forwarded,
      &schema::service_timeouts, &schema::pool,
  };
  return list;
}

}  // namespace telltale::conf
