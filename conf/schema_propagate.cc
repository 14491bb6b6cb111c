// The rows of `services[].propagate`.
#include "conf/schema.h"

namespace telltale::conf {
namespace {

constexpr Field forwarded_fields[] = {
    {.name = "mode",
     .type = Type::word,
     .words = "off|append|replace|remove|pass",
     .meaning = "As for `x_forwarded_for`; `off`: none is added.",
     .required = true},
    {.name = "parameters",
     .type = Type::words,
     .words = "for|by|host|proto",
     .fallback = "[for, proto]",
     .meaning = "What an element says."},
    {.name = "ports",
     .type = Type::boolean,
     .fallback = "false",
     .meaning = "Whether `for` and `by` have their port. An obfuscated one has none."},
    {.name = "for",
     .type = Type::text,
     .words = "address|unknown|per_connection|per_process",
     .fallback = "address",
     .meaning = "How `for` names who it is: by address; not at all; by an id that says nothing to others, the same for "
                "one address on one connection of a client, or for as long as this process runs; or by a fixed one, an "
                "underscore and letters, digits, `.`, `_`, `-`: `_edge1`."},
    {.name = "by",
     .type = Type::text,
     .words = "address|unknown|per_connection|per_process",
     .fallback = "address",
     .meaning = "Likewise, the address that was connected to."},
    {.name = "extensions",
     .type = Type::templates,
     .max = 8,
     .meaning = "More parameters: name and template. One whose value is empty is left out."},
};
constexpr Field assertion_fields[] = {
    {.name = "key_file",
     .type = Type::text,
     .meaning = "One or two lines `KEY-ID BASE64`; the first key signs. Read again when it changes.",
     .required = true},
    {.name = "header", .type = Type::boolean, .fallback = "true", .meaning = "As `X-Telltale-Client` of each request."},
    {.name = "tlv",
     .type = Type::word,
     .words = assertion_tlv_words,
     .fallback = "off",
     .meaning =
         "With `proxy_protocol: v2`: in the PROXY header too, under this type, signed when the connection is made."},
};
constexpr Field propagate_fields[] = {
    {.name = "x_forwarded_for",
     .type = Type::word,
     .words = "append|replace|remove|pass",
     .fallback = "append",
     .meaning = "`append`: the list of a trusted hop, and that hop. `replace`: the client alone. `remove`: none. "
                "`pass`: whatever came, forged or not."},
    {.name = "forwarded",
     .type = Type::object,
     .words = "off|append|replace|remove|pass",
     .object = &schema::forwarded,
     .fallback = "off",
     .meaning = "The RFC 7239 field: a mode, or mode and parameters."},
    {.name = "x_forwarded_proto", .type = Type::boolean, .fallback = "false", .meaning = "The scheme the client used."},
    {.name = "x_forwarded_host",
     .type = Type::boolean,
     .fallback = "false",
     .meaning = "The host the client asked for."},
    {.name = "x_forwarded_port",
     .type = Type::boolean,
     .fallback = "false",
     .meaning = "The port the client aimed at."},
    {.name = "x_real_ip", .type = Type::boolean, .fallback = "false", .meaning = "The client's address alone."},
    {.name = "x_forwarded_client_cert",
     .type = Type::word,
     .words = "off|append|replace",
     .fallback = "off",
     .meaning =
         "The certificate that the client proved to us, as Envoy writes it: "
         "`Hash=…;Subject=\"…\";URI=…;DNS=…`. `replace`: that one alone. `append`: behind what a trusted hop sent. "
         "`off`: none leaves."},
    {.name = "via", .type = Type::boolean, .fallback = "true", .meaning = "`Via: 1.1 telltale`."},
    {.name = "source_address",
     .type = Type::word,
     .words = "own|transparent",
     .fallback = "own",
     .meaning = "`transparent`: connections to the backends come from the client's own address, and are never used for "
                "another client. Needs CAP_NET_ADMIN and routes that bring the answers back."},
    {.name = "assertion",
     .type = Type::object,
     .object = &schema::assertion,
     .meaning = "A signed statement of who the client is, which the backend can believe from anywhere."},
    {.name = "proxy_protocol",
     .type = Type::word,
     .words = "off|v1|v2",
     .fallback = "off",
     .meaning = "Each connection to a backend opens with a PROXY header that names the client, and is never used for "
                "another."},
    {.name = "tlvs",
     .type = Type::words,
     .words = "authority|alpn|unique_id|crc32c|ssl|netns",
     .fallback = "[]",
     .meaning =
         "With `proxy_protocol: v2`: what the header says besides the addresses. `unique_id` is the id of the "
         "request that the connection was opened for. `ssl` says what the client agreed on with a listener that has "
         "`tls`; else it is, as `netns`, what the client's PROXY header had, with all of its parts."},
    {.name = "pass_tlvs",
     .type = Type::names,
     .fallback = "[]",
     .meaning =
         "With `proxy_protocol: v2`: TLVs of the client's PROXY header that go on as they came, by name or type: "
         "`[aws_vpce_id, 0xE3]`."},
    {.name = "tlv_padding",
     .type = Type::integer,
     .min = 0,
     .max = 1024,
     .fallback = "0",
     .meaning = "With `proxy_protocol: v2`: a NOOP TLV makes the header's length a multiple of this. 0: none."},
    {.name = "custom_tlvs",
     .type = Type::templates,
     .max = 16,
     .meaning = "With `proxy_protocol: v2`: TLVs of types `0xE0` to `0xEF`, type and template, without `request.…` "
                "variables. One whose value is empty, or longer than 1024 octets, is left out."},
    {.name = "headers",
     .type = Type::templates,
     .max = 64,
     .meaning =
         "Header fields of the request, name and template, in this order. Each replaces all that was received by "
         "its name; one whose value is empty is only removed."},
};

}  // namespace

namespace schema {
constinit const Object propagate = {"services[].propagate", "What the backends are told", propagate_fields};
constinit const Object forwarded = {"services[].propagate.forwarded", "The Forwarded field", forwarded_fields};
constinit const Object assertion = {"services[].propagate.assertion", "The signed assertion", assertion_fields};
}  // namespace schema

}  // namespace telltale::conf
