// The rows of `tls:` of a listener.
#include "conf/schema.h"

namespace telltale::conf {
namespace {

constexpr std::uint64_t ms = 1, hour = 3'600'000;

constexpr Field certificate_fields[] = {
    {.name = "certificate",
     .type = Type::text,
     .meaning = "A PEM file: the certificate, then those that lead to its root. An absolute path.",
     .required = true},
    {.name = "key",
     .type = Type::text,
     .meaning = "A PEM file with its private key, not encrypted. An absolute path; it may be the same file.",
     .required = true},
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
};

}  // namespace

namespace schema {
constinit const Object certificate = {"listeners[].tls.certificates[]", "A certificate and its key",
                                      certificate_fields};
constinit const Object listener_tls = {"listeners[].tls", "TLS that a listener terminates", listener_tls_fields};
}  // namespace schema

}  // namespace telltale::conf
