// The rows of `services[].health`.
#include "conf/schema.h"

namespace telltale::conf {
namespace {

constexpr std::uint64_t ms = 1, hour = 3'600'000, day = 24 * hour;

constexpr Field expect_fields[] = {
    {.name = "status",
     .type = Type::statuses,
     .fallback = "[\"200-299\"]",
     .meaning = "What is healthy. 503 means draining unless it is listed here."},
    {.name = "body",
     .type = Type::text,
     .meaning = "A regular expression (RE2) that must be found in the first 64 KiB. Default: any body."},
};
constexpr Field tls_fields[] = {
    {.name = "sni", .type = Type::text, .meaning = "The name that is asked for. Default: `host` if that is a name."},
    {.name = "verify",
     .type = Type::word,
     .words = "full|ca|none",
     .fallback = "full",
     .meaning = "`full`: the certificate's chain, and its name. `ca`: only the chain. `none`: anybody's will do."},
    {.name = "ca", .type = Type::text, .meaning = "A PEM file of the authorities believed. Default: the system's."},
};
constexpr Field health_fields[] = {
    {.name = "http", .type = Type::text, .fallback = "/healthz", .meaning = "GET this path: 200 to 299 is healthy."},
    {.name = "https", .type = Type::text, .meaning = "Likewise, over TLS."},
    {.name = "tcp", .type = Type::boolean, .fallback = "false", .meaning = "Only connect."},
    {.name = "grpc",
     .type = Type::text,
     .words = "true|false",
     .fallback = "false",
     .meaning =
         "Ask `grpc.health.v1.Health/Check` over HTTP/2 without TLS, of the server as a whole (`true`) or of this "
         "service: SERVING is healthy, NOT_SERVING draining."},
    {.name = "track",
     .type = Type::text,
     .meaning =
         "No probes: what those of this other service say of the node of the same name, else of the same address."},
    {.name = "port",
     .type = Type::integer,
     .min = 1,
     .max = 65535,
     .meaning = "Where to probe, such as a healthCheckNodePort. Default: the serving port; `node_health` has none."},
    {.name = "host",
     .type = Type::text,
     .meaning = "The Host field (`:authority`) of the probe. Default: the target's address."},
    {.name = "headers",
     .type = Type::texts,
     .max = 16,
     .meaning = "More header fields of the probe, name and value; with `http` and `https`."},
    {.name = "expect",
     .type = Type::object,
     .object = &schema::health_expect,
     .meaning = "What the answer must be; with `http` and `https`."},
    {.name = "tls",
     .type = Type::object,
     .object = &schema::health_tls,
     .meaning = "With `https`: whose answer it must be. Default: the service's `tls`, whose `client_certificate` is "
                "shown in any case."},
    {.name = "interval",
     .type = Type::duration,
     .min = 10 * ms,
     .max = day,
     .fallback = "5s",
     .meaning = "Between probes, ± 10 %."},
    {.name = "fast_interval",
     .type = Type::duration,
     .min = 10 * ms,
     .max = day,
     .fallback = "1s",
     .meaning =
         "Instead, while answers differ from the state, and once after it changed. Default: `interval` if that is "
         "shorter."},
    {.name = "timeout", .type = Type::duration, .min = ms, .max = hour, .fallback = "1s", .meaning = "Of one probe."},
    {.name = "rise",
     .type = Type::integer,
     .min = 1,
     .max = 100,
     .fallback = "1",
     .meaning = "Successes in a row that make it healthy."},
    {.name = "fall",
     .type = Type::integer,
     .min = 1,
     .max = 100,
     .fallback = "3",
     .meaning = "Failures in a row that make it unhealthy."},
    {.name = "fall_draining",
     .type = Type::integer,
     .min = 1,
     .max = 100,
     .fallback = "1",
     .meaning = "Explicit 503s in a row that make it draining."},
    {.name = "strict",
     .type = Type::boolean,
     .fallback = "false",
     .meaning = "A 200 with an empty body reads as unknown: a service that has just closed answers so."},
    {.name = "weight",
     .type = Type::word,
     .words = "config|probe",
     .fallback = "config",
     .meaning = "`probe`: the node's weight is what `X-Load-Balancing-Endpoint-Weight` says. Where there is "
                "`node_health`, it is said there."},
    {.name = "send_proxy",
     .type = Type::word,
     .words = "false|true|v1|v2",
     .fallback = "false",
     .meaning =
         "A PROXY header before the probe: v2 `LOCAL` (`true`, `v2`) or v1 `UNKNOWN`. Only for the serving port: "
         "kube-proxy's health port does not speak it."},
};

}  // namespace

namespace schema {
constinit const Object health = {"services[].health", "The probe", health_fields};
constinit const Object health_expect = {"services[].health.expect", "The answer to a probe", expect_fields};
constinit const Object health_tls = {"services[].health.tls", "TLS of a probe", tls_fields};
}  // namespace schema

}  // namespace telltale::conf
