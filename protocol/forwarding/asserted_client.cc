#include "protocol/forwarding/asserted_client.h"

#include "protocol/forwarding/identity_headers.h"
#include "protocol/forwarding/list.h"
#include "protocol/http/header_block.h"

#include <array>

namespace telltale::forwarding {
namespace {

using assertion::Verdict;

constexpr std::size_t max_token_octets = 64;

// In the order of assertion::Verdict; `valid` is never asked for.
constexpr std::array<RejectReason, assertion::verdict_count> reasons = {
    RejectReason::assertion_malformed,     RejectReason::assertion_malformed,       RejectReason::assertion_unknown_key,
    RejectReason::assertion_bad_signature, RejectReason::assertion_other_authority, RejectReason::assertion_expired,
    RejectReason::assertion_not_yet_valid};

}  // namespace

RejectReason reason_of(Verdict verdict) {
  const auto i = static_cast<std::size_t>(verdict);
  return i < reasons.size() ? reasons[i] : RejectReason::assertion_malformed;
}

void believe_assertion(const net::IpPort& client, ClientAddress& result) {
  std::erase_if(result.hops, [](const Hop& hop) { return hop.reported_by == Provenance::header; });
  for (Hop& hop : result.hops) hop.verdict = HopVerdict::trusted;
  result.hops.push_back({client, Provenance::assertion, HopVerdict::client});
  result.address = client.address;
  result.port = client.port;
  result.provenance = Provenance::assertion;
}

std::optional<Verdict> apply_assertion(const http::HeaderBlock& fields, const AssertionCheck& check,
                                       ClientAddress& result) {
  if (!fields.has(http::FieldId::x_telltale_client)) return std::nullopt;
  std::optional<std::string_view> text;
  bool repeated = false;
  for (const http::HeaderBlock::Field field : fields) {
    if (field.id != http::FieldId::x_telltale_client || !is_real_name(field.name)) continue;
    repeated = text.has_value();
    text = trim_ows(field.value);
  }
  if (!text) return std::nullopt;  // an alias alone: removed like every other, never read
  Verdict verdict = Verdict::malformed;
  if (!repeated) {
    if (const auto parsed = assertion::parse(*text)) {
      verdict = assertion::verify(*parsed, check.keys, check.now, check.window, check.authority);
      if (verdict == Verdict::valid) {
        believe_assertion(parsed->statement.client, result);
        return verdict;
      }
    }
  }
  result.rejected.push_back({std::string(text->substr(0, max_token_octets)), reason_of(verdict)});
  return verdict;
}

}  // namespace telltale::forwarding
