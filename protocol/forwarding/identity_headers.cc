#include "protocol/forwarding/identity_headers.h"

#include "protocol/http/header_block.h"
#include "protocol/http1/syntax.h"

#include <algorithm>

namespace telltale::forwarding {
namespace {

// An id that stands for more than one name: the configured name decides.
bool needs_name(http::FieldId id) {
  return id == http::FieldId::other || id == http::FieldId::x_forwarded_tls || id == http::FieldId::client_cert;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  // Folding makes `_` and `-` the same too; that difference is looked for apart.
  return http::folded_equal(a, b) &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return (x == '_') == (y == '_'); });
}

}  // namespace

bool is_identity_name(http::FieldId id, std::string_view name, const HeaderTrust& trust) {
  if (http::is_identity(id)) return true;
  if (trust.kind != HeaderTrust::Kind::none && id == trust.field &&
      (!needs_name(id) || http::folded_equal(name, trust.name))) {
    return true;
  }
  for (const std::string& extra : trust.extra_identity_names) {
    if (http::folded_equal(name, extra)) return true;
  }
  return false;
}

bool nominates_identity(const http::HeaderBlock& fields, const HeaderTrust& trust) {
  if (!fields.has(http::FieldId::connection)) return false;
  const auto is_innocent = [&trust](std::string_view option) {
    return !is_identity_name(http::field_id(option), option, trust);
  };
  for (const http::HeaderBlock::Field field : fields) {
    if (field.id == http::FieldId::connection && !http1::for_each_element(field.value, is_innocent)) return true;
  }
  return false;
}

bool is_believed_header(http::FieldId id, std::string_view name, const HeaderTrust& trust) {
  if (id != trust.field || trust.kind == HeaderTrust::Kind::none) return false;
  return needs_name(id) ? equal_ignoring_case(name, trust.name) : is_real_name(name);
}

}  // namespace telltale::forwarding
