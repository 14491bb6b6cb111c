#include "conf/schema.h"

namespace telltale::conf {
namespace {

constexpr std::uint64_t hour = 3'600'000, day = 24 * hour;

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
}  // namespace schema

std::span<const Object* const> all_objects() {
  static constexpr const Object* list[] = {
      &schema::root,
      &schema::admin,
      &schema::log,
      &schema::access_log,
      &schema::drain,
      &schema::listener,
      &schema::client_ip,
      &schema::proxy_protocol_rule,
      &schema::assertion_trust,
      &schema::listener_limits,
      &schema::listener_timeouts,
      &schema::route,
      &schema::match,
      &schema::redirect,
      &schema::respond,
      &schema::service,
      &schema::node,
      &schema::endpoint,
      &schema::health,
      &schema::propagate,
      &schema::forwarded,
      &schema::assertion,
      &schema::service_timeouts,
      &schema::pool,
  };
  return list;
}

}  // namespace telltale::conf
