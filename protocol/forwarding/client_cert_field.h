#pragma once

#include "protocol/forwarding/request_facts.h"

#include <string>
#include <string_view>

namespace telltale::forwarding {

/// Appends one element of `X-Forwarded-Client-Cert`, as Envoy writes it: `Hash=…;Subject="…";URI=…;DNS=…`, a pair for
/// each URI and DNS name. No value can end its pair: in the subject a quote is `\"` and a backslash `\5C` (RFC 4514
/// allows it), so that a reader to whom `\\` is a backslash and one to whom `\"` is a quote, whatever stands before it,
/// agree. A name with `,`, `;` or `=` is quoted; one with a quote or a backslash, which is neither a URI nor a host
/// name, is left out.
void append_client_cert_element(std::string& out, const ClientCertificate& certificate);

/// Whether every quote of a received value is closed, for either of these readers: else what follows would be
/// swallowed.
bool is_whole_client_cert_list(std::string_view value);

}  // namespace telltale::forwarding
