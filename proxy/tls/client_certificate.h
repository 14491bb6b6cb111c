#pragma once

#include "protocol/forwarding/request_facts.h"

#include <openssl/types.h>

#include <string>

namespace telltale::proxy {

/// A name as RFC 4514 writes it, the most specific part first: `CN=shop,O=Example`. Visible ASCII and blanks: controls
/// and what is not ASCII are `\HH`, octet by octet.
std::string name_text(const X509_NAME* name);

/// What a certificate says. It is the caller's to know that it was verified.
forwarding::ClientCertificate describe_certificate(const X509* certificate);

}  // namespace telltale::proxy
