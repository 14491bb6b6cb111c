// The rows of `listeners:`.
#include "conf/model.h"
#include "conf/presets.h"
#include "conf/schema.h"

namespace telltale::conf {
namespace {

constexpr std::uint64_t ms = 1, hour = 3'600'000, day = 24 * hour;
constexpr std::uint64_t MiB = 1024 * 1024;

constexpr Field proxy_protocol_rule_fields[] = {
    {.name = "from",
     .type = Type::ranges,
     .meaning = "Peers this rule is for, by the address of their socket; `unix`: "
                "whoever connects to a Unix socket.",
     .required = true},
    {.name = "policy",
     .type = Type::word,
     .words = "require|accept|ignore|forbid",
     .meaning = "`require`: a PROXY header must come. `accept`: it is used if the first octets are its signature. "
                "`ignore`: it is read and dropped. `forbid`: a signature closes the connection.",
     .required = true},
    {.name = "version",
     .type = Type::word,
     .words = "any|v1|v2",
     .fallback = "any",
     .meaning = "The version that these peers may send; a header of the other one closes the connection."},
};
constexpr Field assertion_trust_fields[] = {
    {.name = "key_file",
     .type = Type::text,
     .meaning = "The keys that are trusted: one or two lines `KEY-ID BASE64`. Read again when it changes.",
     .required = true},
    {.name = "max_age",
     .type = Type::duration,
     .min = 1000 * ms,
     .max = hour,
     .fallback = "30s",
     .meaning = "How old an assertion may be, in whole seconds. Until then whoever has seen it can use it again."},
    {.name = "clock_skew",
     .type = Type::duration,
     .min = 0,
     .max = 300'000 * ms,
     .fallback = "5s",
     .meaning = "How far the signer's clock may be ahead of ours, in whole seconds."},
    {.name = "tlv",
     .type = Type::word,
     .words = assertion_tlv_words,
     .fallback = "off",
     .meaning = "Where a request brings no valid one: it is looked for in the connection's PROXY v2 header too, under "
                "this type, and is as old as it was when that came. Google, AWS and Azure have uses of their own for "
                "`0xE0`, `0xEA` and `0xEE`."},
};
constexpr Field client_ip_fields[] = {
    {.name = "behind",
     .type = Type::word,
     .words = preset_words,
     .meaning =
         "What stands in front: values for `proxy_protocol`, `header`, `trusted` and `trusted_hops`, by the table "
         "of presets. A field that is written out is taken instead of the preset's."},
    {.name = "from",
     .type = Type::ranges,
     .meaning =
         "With `behind`: the addresses it connects from. Only where none are published, or to be used instead of "
         "the published ones."},
    {.name = "proxy_protocol",
     .type = Type::objects,
     .object = &schema::proxy_protocol_rule,
     .meaning = "Who sends a PROXY header. The first rule that contains the peer decides; no match: `forbid`. After a "
                "believed header, the rules are asked again about the hop that it named: see `proxy_header_count`."},
    {.name = "proxy_header_timeout",
     .type = Type::duration,
     .min = ms,
     .max = hour,
     .fallback = "3s",
     .meaning = "From accept to the end of the PROXY header; then the connection is closed."},
    {.name = "proxy_max_header_bytes",
     .type = Type::size,
     .min = 216,
     .max = 65535,
     .fallback = "4KiB",
     .meaning = "Longest PROXY v2 header, by its declared length."},
    {.name = "proxy_header_count",
     .type = Type::integer,
     .min = 1,
     .max = 8,
     .fallback = "1",
     .meaning = "Most PROXY headers in a row, from balancers in a chain. Each further one is reported by the hop that "
                "the one before it named, and read only if `proxy_protocol` has a rule for that hop; one more is a "
                "failure."},
    {.name = "header",
     .type = Type::text,
     .fallback = "x-forwarded-for",
     .meaning = "The one header that is believed, from `trusted` hops: `x-forwarded-for`, `forwarded`, `none`, or the "
                "name of a header that holds a single address, such as `cf-connecting-ip`."},
    {.name = "trusted",
     .type = Type::ranges,
     .fallback = "[]",
     .meaning = "Hops whose header is believed. Nobody by default, private ranges included. The header is walked from "
                "right to left; the first address outside these ranges is the client."},
    {.name = "trusted_hops",
     .type = Type::integer,
     .min = 0,
     .max = 32,
     .fallback = "0",
     .meaning = "Instead of walking by `trusted`: exactly this many hops wrote the list, counted from the right. The "
                "peer must still be in `trusted`. Of a shorter list, which these hops alone wrote, the leftmost is the "
                "client. 0: walk by ranges."},
    {.name = "assertion",
     .type = Type::object,
     .object = &schema::assertion_trust,
     .meaning =
         "Signed assertions (`X-Telltale-Client`) that are believed, whoever brings them, above PROXY and header. "
         "Default: none."},
    {.name = "on_invalid",
     .type = Type::word,
     .words = "stop|reject",
     .fallback = "stop",
     .meaning =
         "What an entry of the believed header that is no address leads to. `stop`: the walk ends at the last good "
         "hop. `reject`: 400."},
    {.name = "identity_headers",
     .type = Type::names,
     .fallback = "[]",
     .meaning = "More header names that claim to say who the client is, to be removed like the known ones."},
    {.name = "source_loss",
     .type = Type::word,
     .words = "warn|ignore",
     .fallback = "warn",
     .meaning = "`warn`: a warning and a metric when nearly all connections come from nodes or gateways, or very many "
                "from very few addresses, and nothing says who the clients are."},
};
constexpr Field listener_limits_fields[] = {
    {.name = "max_head_bytes",
     .type = Type::size,
     .min = 256,
     .max = 16 * MiB,
     .fallback = "32KiB",
     .meaning = "Request line and fields; beyond: 431."},
    {.name = "max_target_bytes",
     .type = Type::size,
     .min = 16,
     .max = 16 * MiB,
     .fallback = "8KiB",
     .meaning = "Request target; beyond: 414."},
    {.name = "max_fields",
     .type = Type::integer,
     .min = 1,
     .max = 10'000,
     .fallback = "100",
     .meaning = "Header fields of a request; beyond: 431."},
    {.name = "max_body_bytes",
     .type = Type::size,
     .min = 0,
     .max = UINT64_MAX / 2,
     .fallback = "0",
     .meaning = "Request body; beyond: 413. 0: no limit."},
    {.name = "max_connections",
     .type = Type::integer,
     .min = 0,
     .max = 10'000'000,
     .fallback = "0",
     .meaning = "Connections of this listener, over all workers. 0: no limit but the process's."},
    {.name = "max_connections_per_client",
     .type = Type::integer,
     .min = 0,
     .max = 10'000'000,
     .fallback = "0",
     .meaning = "Connections from one client address (as the socket or its PROXY header says), for each worker. 0: no "
                "limit."},
    {.name = "underscores",
     .type = Type::word,
     .words = "pass|drop|reject",
     .fallback = "pass",
     .meaning = "Fields with `_` in their name. Those that read as a known field with `-` are always treated as that "
                "field."},
};
constexpr Field listener_timeouts_fields[] = {
    {.name = "header",
     .type = Type::duration,
     .min = ms,
     .max = day,
     .fallback = "10s",
     .meaning = "From the first octet of a request to the end of its head: 408."},
    {.name = "body",
     .type = Type::duration,
     .min = ms,
     .max = day,
     .fallback = "1m",
     .meaning = "Without progress of a request body: 408."},
    {.name = "idle",
     .type = Type::duration,
     .min = ms,
     .max = day,
     .fallback = "75s",
     .meaning = "Between requests: the connection is closed."},
    {.name = "write",
     .type = Type::duration,
     .min = ms,
     .max = day,
     .fallback = "1m",
     .meaning = "Without progress of a response: the connection is closed."},
};
constexpr Field match_fields[] = {
    {.name = "host",
     .type = Type::text,
     .fallback = "\"*\"",
     .meaning = "Exact, or `*.suffix` for every name below it, without a port. The most specific host wins."},
    {.name = "path",
     .type = Type::text,
     .fallback = "/",
     .meaning = "Within the host an exact path wins, then the longest prefix."},
    {.name = "path_type",
     .type = Type::word,
     .words = "prefix|exact",
     .fallback = "prefix",
     .meaning = "`prefix` compares whole path elements, as a Kubernetes Ingress does: `/api` matches `/api/x` and not "
                "`/apix`."},
    {.name = "tlv",
     .type = Type::texts,
     .max = max_tlv_conditions,
     .meaning =
         "TLVs that the PROXY header of the connection must have, each with exactly this value: "
         "`aws_vpce_id: vpce-0123`. Such routes are tried before one with the same host and path and none, those "
         "with more of them first."},
    {.name = "sni",
     .type = Type::text,
     .meaning =
         "With `protocol: tcp`: the name that a client asks for by TLS, exact or `*.suffix`. Without `tls` at the "
         "listener its ClientHello is looked at, within `timeouts.header`, and passed on as it came."},
    {.name = "alpn",
     .type = Type::text,
     .meaning =
         "With `protocol: tcp`: a protocol that the client agreed on or, where its TLS is passed on, offers: `h2`."},
    {.name = "client_cert",
     .type = Type::object,
     .object = &schema::client_cert_match,
     .meaning = "What the certificate of the client must be: see `tls.client_certificates`. Weighed as `tlv` is."},
};
constexpr Field client_cert_match_fields[] = {
    {.name = "verified",
     .type = Type::word,
     .words = "true|false",
     .meaning = "Whether there must be one. `false`: there must be none."},
    {.name = "subject", .type = Type::text, .meaning = "The whole of it, as RFC 4514 writes it: `CN=shop,O=Example`."},
    {.name = "san",
     .type = Type::text,
     .meaning = "One of its alternative names, with its kind: `DNS:a.example`, `URI:spiffe://a/b`, `IP:192.0.2.1`, "
                "`email:a@b.example`."},
    {.name = "fingerprint", .type = Type::text, .meaning = "SHA-256 of it, in hexadecimal, with or without colons."},
};
constexpr Field redirect_fields[] = {
    {.name = "scheme", .type = Type::word, .words = "http|https", .meaning = "Default: as requested."},
    {.name = "host", .type = Type::text, .meaning = "Host, or host:port. Default: as requested."},
    {.name = "path",
     .type = Type::text,
     .meaning = "Path, with a query if it is to have one. Default: both as requested."},
    {.name = "status",
     .type = Type::integer,
     .min = 301,
     .max = 308,
     .fallback = "308",
     .meaning = "301, 302, 303, 307 or 308."},
};
constexpr Field respond_fields[] = {
    {.name = "status", .type = Type::integer, .min = 200, .max = 599, .fallback = "200", .meaning = "The status code."},
    {.name = "content_type",
     .type = Type::text,
     .fallback = "text/plain; charset=utf-8",
     .meaning = "The Content-Type field."},
    {.name = "body", .type = Type::prose, .fallback = "\"\"", .meaning = "The body."},
};
constexpr Field route_fields[] = {
    {.name = "name", .type = Type::text, .meaning = "For logs. Default: host and path as written, or `default`."},
    {.name = "match",
     .type = Type::object,
     .object = &schema::match,
     .meaning = "Which requests. Default: those that no other route matches."},
    {.name = "service", .type = Type::text, .meaning = "To this service's backends."},
    {.name = "timeouts",
     .type = Type::object,
     .object = &schema::service_timeouts,
     .meaning = "As the service's, for this route; what it leaves out is the service's."},
    {.name = "retries", .type = Type::object, .words = "0|1|2|3", .object = &schema::retries, .meaning = "Likewise."},
    {.name = "redirect", .type = Type::object, .object = &schema::redirect, .meaning = "To another URL."},
    {.name = "respond", .type = Type::object, .object = &schema::respond, .meaning = "A fixed answer."},
};
constexpr Field listener_fields[] = {
    {.name = "name",
     .type = Type::text,
     .meaning = "For logs and metrics. Default: `listener-1`, `listener-2` and so on."},
    {.name = "listen",
     .type = Type::address,
     .meaning = "Where to listen. `:8080` is every interface, IPv6 and IPv4; port 0 takes a free one.",
     .required = true},
    {.name = "protocol",
     .type = Type::word,
     .words = "http|tcp",
     .fallback = "http",
     .meaning = "`http`: HTTP/1.1 and 1.0. `tcp`: connections go to the one `service` as they are; who the client is, "
                "is told by a "
                "PROXY header or the source address alone. While nobody may be chosen, connections are refused."},
    {.name = "unix_mode", .type = Type::mode, .fallback = "\"0660\"", .meaning = "Permissions of a Unix socket."},
    {.name = "internal",
     .type = Type::boolean,
     .fallback = "false",
     .meaning = "For clients within the cluster: `internal_traffic_policy` of the services applies, not the external "
                "one."},
    {.name = "client_ip",
     .type = Type::object,
     .object = &schema::client_ip,
     .meaning = "How this listener learns who the client is. Default: from the socket alone."},
    {.name = "tls",
     .type = Type::object,
     .object = &schema::listener_tls,
     .meaning =
         "TLS is terminated here: behind the PROXY header, if one comes. Default: none, octets are taken as they "
         "are."},
    {.name = "limits", .type = Type::object, .object = &schema::listener_limits, .meaning = "What a client may use."},
    {.name = "timeouts",
     .type = Type::object,
     .object = &schema::listener_timeouts,
     .meaning = "How long it may take."},
    {.name = "service", .type = Type::text, .meaning = "Everything goes to this service; instead of `routes`."},
    {.name = "routes",
     .type = Type::objects,
     .object = &schema::route,
     .meaning = "Which request goes where, by the most specific match. No match: 404."},
};

}  // namespace

namespace schema {
constinit const Object listener = {"listeners[]", "A listener", listener_fields, "service|routes"};
constinit const Object client_ip = {"listeners[].client_ip", "Who the client is", client_ip_fields};
constinit const Object assertion_trust = {"listeners[].client_ip.assertion", "Signed assertions that are believed",
                                          assertion_trust_fields};
constinit const Object proxy_protocol_rule = {"listeners[].client_ip.proxy_protocol[]", "Who sends a PROXY header",
                                              proxy_protocol_rule_fields};
constinit const Object listener_limits = {"listeners[].limits", "Limits", listener_limits_fields};
constinit const Object listener_timeouts = {"listeners[].timeouts", "Timeouts of the client's side",
                                            listener_timeouts_fields};
constinit const Object route = {"listeners[].routes[]", "A route", route_fields, "service|redirect|respond"};
constinit const Object match = {"listeners[].routes[].match", "What a route matches", match_fields};
constinit const Object client_cert_match = {"listeners[].routes[].match.client_cert", "A client's certificate",
                                            client_cert_match_fields};
constinit const Object redirect = {"listeners[].routes[].redirect", "A redirect", redirect_fields};
constinit const Object respond = {"listeners[].routes[].respond", "A fixed answer", respond_fields};
}  // namespace schema

}  // namespace telltale::conf
