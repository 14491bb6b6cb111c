#include "protocol/forwarding/asserted_client.h"

#include "protocol/forwarding/identity_headers.h"
#include "protocol/forwarding/list.h"
#include "protocol/http/header_block.h"
#include "protocol/proxy_protocol/tlv.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace telltale::forwarding {
namespace {

using assertion::Verdict;
using proxy_protocol::Tlv;
using proxy_protocol::TlvRange;
using proxy_protocol::TlvType;

constexpr std::size_t max_token_octets = 64;

// In the order of assertion::Verdict; `valid` is never asked for.
constexpr std::array<RejectReason, assertion::verdict_count> reasons = {
    RejectReason::assertion_malformed,     RejectReason::assertion_malformed,       RejectReason::assertion_unknown_key,
    RejectReason::assertion_bad_signature, RejectReason::assertion_other_authority, RejectReason::assertion_expired,
    RejectReason::assertion_not_yet_valid};

struct Found {
  std::optional<std::string_view> text;  // nullopt: none came
  bool repeated = false;
};

Found find_line(const http::HeaderBlock& fields) {
  Found found;
  if (!fields.has(http::FieldId::x_telltale_client)) return found;
  for (const http::HeaderBlock::Field field : fields) {
    // An alias is removed like every other, never read.
    if (field.id != http::FieldId::x_telltale_client || !is_real_name(field.name)) continue;
    found.repeated = found.text.has_value();
    found.text = trim_ows(field.value);
  }
  return found;
}

Found find_in_tlvs(std::string_view section, std::uint8_t type) {
  Found found;
  if (type == 0) return found;
  for (const Tlv& tlv : TlvRange(section)) {
    if (tlv.type != TlvType{type}) continue;
    found.repeated = found.text.has_value();
    found.text = tlv.value;
  }
  return found;
}

Verdict judge(const Found& found, const AssertionCheck& check, std::int64_t now, ClientAddress& result) {
  Verdict verdict = Verdict::malformed;
  const auto parsed = found.repeated ? std::nullopt : assertion::parse(*found.text);
  if (parsed) verdict = assertion::verify(*parsed, check.keys, now, check.window, check.authority);
  if (verdict == Verdict::valid) {
    believe_assertion(parsed->statement.client, result);
  } else {
    result.rejected.push_back({std::string(found.text->substr(0, max_token_octets)), reason_of(verdict)});
  }
  return verdict;
}

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
  const Found found = find_line(fields);
  if (!found.text) return std::nullopt;
  return judge(found, check, check.now, result);
}

bool has_assertion(const http::HeaderBlock& fields) { return find_line(fields).text.has_value(); }

void date_assertion(PeerInfo& peer, std::uint8_t tlv, std::int64_t now) {
  if (peer.assertion_came != 0 || !find_in_tlvs(peer.tlvs, tlv).text) return;
  peer.assertion_came = static_cast<std::uint32_t>(std::clamp<std::int64_t>(now, 1, UINT32_MAX));
}

std::optional<Verdict> apply_tlv_assertion(const PeerInfo& peer, std::uint8_t tlv, const AssertionCheck& check,
                                           ClientAddress& result) {
  if (peer.assertion_came == 0) return std::nullopt;
  const Found found = find_in_tlvs(peer.tlvs, tlv);
  if (!found.text) return std::nullopt;
  return judge(found, check, peer.assertion_came, result);
}

void blank_assertion(std::string& tlvs, std::uint8_t tlv) {
  for (const Tlv& each : TlvRange(tlvs)) {
    if (tlv == 0 || each.type != TlvType{tlv}) continue;
    const auto at = static_cast<std::size_t>(each.value.data() - tlvs.data());
    std::fill_n(tlvs.begin() + static_cast<std::ptrdiff_t>(at), each.value.size(), '*');
  }
}

}  // namespace telltale::forwarding
