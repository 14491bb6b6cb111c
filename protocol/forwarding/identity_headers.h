#pragma once

#include "protocol/forwarding/client_address.h"
#include "protocol/http/field_id.h"

#include <string_view>

namespace telltale::forwarding {

/// Whether a field claims to say who the client is or how it came, so that it must never pass unexamined: those of the
/// registry (http::is_identity), the configured header, and the names that the configuration adds. `_` and `-` are the
/// same and case does not matter (GHSA-5m6w-wvh7-57vm). `id` is http::field_id(name).
bool is_identity_name(http::FieldId id, std::string_view name, const HeaderTrust& trust);

/// Whether Connection nominates a name that is_identity_name() knows by the configuration alone: the request must be
/// answered 400, as the parser does for those of the registry (CVE-2022-31813).
bool nominates_identity(const http::HeaderBlock& fields, const HeaderTrust& trust);

/// Whether a field is the one configured header by its real name. Case does not matter, but `_` is not `-` here: a
/// trusted hop writes the real name, and passes on a client's alias of it untouched, so an alias is never believed.
bool is_believed_header(http::FieldId id, std::string_view name, const HeaderTrust& trust);

/// Whether `name`, whose id is not `other`, is spelt as the registry has it, but for case.
inline bool is_real_name(std::string_view name) { return name.find('_') == std::string_view::npos; }

}  // namespace telltale::forwarding
