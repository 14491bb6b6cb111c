// The rows of `tls:` of listeners and services.
#include "conf/schema.h"

namespace telltale::conf {
namespace {

constexpr std::uint64_t ms = 1, hour = 3'600'000, day = 24 * hour;

// Of a listener's and of ours.
constexpr Field certificate_field = {
    .name = "certificate",
    .type = Type::text,
    .meaning = "A PEM file: the certificate, then those that lead to its root. An absolute path.",
    .required = true};
constexpr Field key_field = {
    .name = "key",
    .type = Type::text,
    .meaning = "A PEM file with its private key, not encrypted. An absolute path; it may be the same file.",
    .required = true};

constexpr Field certificate_fields[] = {
    certificate_field,
    key_field,
    {.name = "ocsp",
     .type = Type::text,
     .meaning =
         "A file with an OCSP response for it in DER (RFC 6960), which is stapled; `openssl ocsp -respout` writes "
         "one. An absolute path. Default: none."},
};
constexpr Field client_certificates_fields[] = {
    {.name = "mode",
     .type = Type::word,
     .words = "off|optional|required",
     .fallback = "required",
     .meaning = "`required`: a client without a certificate that `ca` vouches for is refused. `optional`: it may have "
                "none; one that it shows must be right."},
    {.name = "ca",
     .type = Type::text,
     .meaning =
         "A PEM file of the authorities that are believed. Their names are sent to the client. An absolute path.",
     .required = true},
    {.name = "crl",
     .type = Type::text,
     .meaning = "A PEM file of certificate revocation lists, with one of every authority in a chain. An absolute path. "
                "Default: nothing is revoked."},
    {.name = "depth",
     .type = Type::integer,
     .min = 0,
     .max = 16,
     .fallback = "4",
     .meaning = "How many authorities may stand between a client's certificate and one of `ca`."},
};
constexpr Field hsts_fields[] = {
    {.name = "max_age",
     .type = Type::duration,
     .min = 0,
     .max = 3650 * day,
     .fallback = "8760h",
     .meaning = "How long a browser uses nothing but TLS for this host: 8760h is a year. 0s: it forgets."},
    {.name = "include_subdomains", .type = Type::boolean, .fallback = "false", .meaning = "And for every name below."},
    {.name = "preload",
     .type = Type::boolean,
     .fallback = "false",
     .meaning = "That browsers may build it in. Needs `include_subdomains`, and a `max_age` of 8760h or more."},
};
constexpr Field client_certificate_fields[] = {
    certificate_field,
    key_field,
};
constexpr Field service_tls_fields[] = {
    {.name = "sni",
     .type = Type::text,
     .meaning =
         "The name that is asked for (SNI) and, with `verify: full`, must be in the certificate. Default: that of "
         "each endpoint that was given by name; an endpoint given by its address is asked for no name, and must "
         "have the address in its certificate."},
    {.name = "verify",
     .type = Type::word,
     .words = "full|ca|none",
     .fallback = "full",
     .meaning = "`full`: the certificate's chain, and its name. `ca`: only the chain. `none`: anybody's will do."},
    {.name = "ca",
     .type = Type::text,
     .meaning = "A PEM file of the authorities believed. An absolute path. Default: the system's."},
    {.name = "client_certificate",
     .type = Type::object,
     .object = &schema::client_certificate,
     .meaning = "What we prove with who we are. Default: none."},
    {.name = "alpn",
     .type = Type::names,
     .meaning = "The protocols that are offered (RFC 7301), what is preferred first. Default: `[http/1.1]` for "
                "requests, none for connections of `protocol: tcp`."},
};
constexpr Field listener_tls_fields[] = {
    {.name = "certificates",
     .type = Type::objects,
     .object = &schema::certificate,
     .meaning =
         "One is chosen by the name that the client asks for (SNI): the exact name first, then `*.` and the rest "
         "of it, else the first of the list. Of an RSA and an ECDSA one for the same name the client gets what "
         "it can use. Read again when the files change.",
     .required = true},
    {.name = "policy",
     .type = Type::word,
     .words = "intermediate|modern",
     .fallback = "intermediate",
     .meaning =
         "Mozilla's guidelines: `intermediate`: TLS 1.2 and 1.3, forward secrecy, AEAD. `modern`: TLS 1.3 alone."},
    {.name = "alpn",
     .type = Type::names,
     .meaning =
         "The protocols that clients may agree on (RFC 7301), what is preferred first. A client that offers none "
         "of them is refused. Default: `[http/1.1]` with `protocol: http`, where there is no other; none with "
         "`protocol: tcp`."},
    {.name = "handshake_timeout",
     .type = Type::duration,
     .min = ms,
     .max = hour,
     .fallback = "10s",
     .meaning = "From the accept, or the end of the PROXY header, to the end of the handshake; then the connection is "
                "closed."},
    {.name = "client_certificates",
     .type = Type::object,
     .object = &schema::client_certificates,
     .meaning = "Mutual TLS: whether clients have to prove who they are. Read again when its files change. Default: "
                "no certificate is asked for."},
    {.name = "ticket_key_file",
     .type = Type::text,
     .meaning =
         "What session tickets are sealed with, for instances that are to resume each other's sessions: lines of "
         "80 octets in base64 (`openssl rand -base64 80 | tr -d '\\n'`), at most 8. The first one seals, all "
         "open. An absolute path; read again when it changes. Default: random keys, changed every 4 hours."},
    {.name = "hsts",
     .type = Type::object,
     .object = &schema::hsts,
     .meaning = "`Strict-Transport-Security` (RFC 6797) in every response, in place of a backend's. Default: none."},
};

}  // namespace

namespace schema {
constinit const Object certificate = {"listeners[].tls.certificates[]", "A certificate and its key",
                                      certificate_fields};
constinit const Object client_certificates = {"listeners[].tls.client_certificates", "Mutual TLS",
                                              client_certificates_fields};
constinit const Object hsts = {"listeners[].tls.hsts", "Strict transport security", hsts_fields};
constinit const Object client_certificate = {"services[].tls.client_certificate", "Our certificate and its key",
                                             client_certificate_fields};
constinit const Object service_tls = {"services[].tls", "TLS towards backends", service_tls_fields};
constinit const Object listener_tls = {"listeners[].tls", "TLS that a listener terminates", listener_tls_fields};
}  // namespace schema

}  // namespace telltale::conf
