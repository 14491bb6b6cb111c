#include "conf/schema.h"

namespace telltale::conf {
namespace {

constexpr std::uint64_t ms = 1, hour = 3'600'000, day = 24 * hour;

constexpr Field drain_fields[] = {
    {.name = "delay",
     .type = Type::duration,
     .min = 0,
     .max = hour,
     .fallback = "5s",
     .meaning = "After SIGTERM: how long `/readyz` says 503 while connections are still accepted, so that the load "
                "balancer notices."},
    {.name = "grace",
     .type = Type::duration,
     .min = 0,
     .max = day,
     .fallback = "30s",
     .meaning = "Then: how long requests in flight may take to finish."},
};
constexpr Field admin_fields[] = {
    {.name = "listen",
     .type = Type::address,
     .fallback = "127.0.0.1:9901",
     .meaning = "Where `/livez`, `/readyz`, `/metrics`, `/services` and `/explain` answer. It has no authentication: "
                "keep it on loopback or a Unix socket."},
    {.name = "explain_requests",
     .type = Type::integer,
     .min = 0,
     .max = 65'536,
     .fallback = "256",
     .meaning =
         "The last requests that each worker keeps for `/explain`, about 1.5 KiB each: their identity fields and "
         "what was decided, no query and no other field. 0: none, and no `/explain`."},
};
constexpr Field log_fields[] = {
    {.name = "level",
     .type = Type::word,
     .words = "trace|debug|info|warn|error|off",
     .fallback = "info",
     .meaning = "The least severity that is logged."},
    {.name = "format",
     .type = Type::word,
     .words = "human|json",
     .fallback = "human",
     .meaning = "One line a message."},
    {.name = "file", .type = Type::text, .meaning = "Appended to, reopened at SIGUSR1. Default: standard error."},
};
constexpr Field access_log_fields[] = {
    {.name = "format",
     .type = Type::word,
     .words = "json|text|off",
     .fallback = "json",
     .meaning = "One line a request; `text` follows the template."},
    {.name = "file", .type = Type::text, .meaning = "Appended to, reopened at SIGUSR1. Default: standard output."},
    {.name = "text",
     .type = Type::format,
     .meaning = "The template of `format: text`; `${name}` is the JSON record's field of that name, `${tlv.NAME}` a "
                "received TLV, `$$` a dollar. Environment variables are not expanded in it."},
    {.name = "queries",
     .type = Type::boolean,
     .fallback = "true",
     .meaning = "`false`: the query, which may hold secrets, is left out of `target`."},
};
constexpr Field dns_fields[] = {
    {.name = "servers",
     .type = Type::addresses,
     .fallback = "[]",
     .meaning = "Who is asked, in this order: `[\"10.96.0.10:53\"]`. Empty: those of `/etc/resolv.conf`."},
    {.name = "timeout",
     .type = Type::duration,
     .min = 10 * ms,
     .max = 60'000 * ms,
     .fallback = "2s",
     .meaning = "Of one question to one server; twice as long each time that it is asked again."},
    {.name = "attempts",
     .type = Type::integer,
     .min = 1,
     .max = 10,
     .fallback = "2",
     .meaning = "How often each server is asked."},
    {.name = "min_ttl",
     .type = Type::duration,
     .min = 10 * ms,
     .max = day,
     .fallback = "1s",
     .meaning = "An answer is good for its TTL, but not for less than this."},
    {.name = "max_ttl",
     .type = Type::duration,
     .min = 10 * ms,
     .max = day,
     .fallback = "5m",
     .meaning = "Nor for more."},
    {.name = "retry",
     .type = Type::duration,
     .min = 10 * ms,
     .max = day,
     .fallback = "5s",
     .meaning = "When to ask again after a question that failed. Until then the last good answer stands."},
};

constexpr Field root_fields[] = {
    {.name = "workers",
     .type = Type::integer,
     .words = "auto",
     .min = 1,
     .max = 1024,
     .fallback = "auto",
     .meaning = "Threads with an event loop each; `auto`: one for each core."},
    {.name = "max_connections",
     .type = Type::integer,
     .min = 1,
     .max = 10'000'000,
     .fallback = "10000",
     .meaning = "Client connections in all. Beyond, the one that is idle longest is closed, else the new one refused."},
    {.name = "admin", .type = Type::object, .words = "off", .object = &schema::admin, .meaning = "The admin server."},
    {.name = "log", .type = Type::object, .object = &schema::log, .meaning = "What the process says of itself."},
    {.name = "access_log",
     .type = Type::object,
     .words = "off",
     .object = &schema::access_log,
     .meaning = "A line for each request."},
    {.name = "drain", .type = Type::object, .object = &schema::drain, .meaning = "How it ends."},
    {.name = "ranges",
     .type = Type::text,
     .meaning = "A file of published address ranges instead of those built in; followed when it changes. An absolute "
                "path."},
    {.name = "node_name",
     .type = Type::text,
     .meaning = "The node that this process runs on, by the `name` that `nodes` give it; in a pod, `\"${NODE_NAME}\"` "
                "from `spec.nodeName`. Traffic policies of `local` then mean the endpoints of this node. Default: it "
                "stands outside."},
    {.name = "zone",
     .type = Type::text,
     .meaning = "The zone that this process runs in. Default: that of the node `node_name`."},
    {.name = "dns",
     .type = Type::object,
     .object = &schema::dns,
     .meaning = "How the names of backends are looked up."},
    {.name = "listeners",
     .type = Type::objects,
     .object = &schema::listener,
     .meaning = "Where clients connect.",
     .required = true},
    {.name = "services", .type = Type::objects, .object = &schema::service, .meaning = "Where requests go."},
};

}  // namespace

namespace schema {
constinit const Object root = {"", "The file", root_fields};
constinit const Object admin = {"admin", "The admin server", admin_fields};
constinit const Object log = {"log", "The log", log_fields};
constinit const Object access_log = {"access_log", "The access log", access_log_fields};
constinit const Object drain = {"drain", "Draining", drain_fields};
constinit const Object dns = {"dns", "Looking up names", dns_fields};
}  // namespace schema

std::span<const Object* const> all_objects() {
  static constexpr const Object* list[] = {
      &schema::root,
      &schema::admin,
      &schema::log,
      &schema::access_log,
      &schema::drain,
      &schema::dns,
      &schema::listener,
      &schema::client_ip,
      &schema::proxy_protocol_rule,
      &schema::assertion_trust,
      &schema::listener_tls,
      &schema::certificate,
      &schema::client_certificates,
      &schema::hsts,
      &schema::listener_limits,
      &schema::listener_timeouts,
      &schema::route,
      &schema::match,
      &schema::client_cert_match,
      &schema::redirect,
      &schema::respond,
      &schema::service,
      &schema::service_tls,
      &schema::client_certificate,
      &schema::node,
      &schema::endpoint,
      &schema::balance,
      &schema::session_affinity,
      &schema::health,
      &schema::health_expect,
      &schema::health_tls,
      &schema::ejection,
      &schema::propagate,
      &schema::forwarded,
      &schema::assertion,
      &schema::service_timeouts,
      &schema::retries,
      &schema::circuit_breakers,
      &schema::pool,
  };
  return list;
}

}  // namespace telltale::conf
