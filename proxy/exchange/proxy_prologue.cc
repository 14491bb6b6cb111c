#include "proxy/exchange/proxy_prologue.h"

#include "protocol/proxy_protocol/serializer.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace telltale::proxy {
namespace {

/// In the order of its digits, so that the TLV in hexadecimal is the id as the access log has it.
std::array<char, 16> octets_of_id(const forwarding::RequestFacts& facts) {
  std::array<char, 16> octets;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    octets[i] = static_cast<char>((i < 8 ? facts.id_high : facts.id_low) >> (56 - 8 * (i % 8)));
  }
  return octets;
}

}  // namespace

bool append_proxy_prologue(const forwarding::Propagate& propagate, const forwarding::RequestFacts& facts,
                           std::string& octets, std::string& identity) {
  const auto has = [&](proxy_protocol::TlvType type) {
    return std::ranges::find(propagate.tlvs, type) != propagate.tlvs.end();
  };
  auto header = forwarding::make_proxy_header(propagate, facts);
  if (!proxy_protocol::serialize(header, identity)) return false;
  if (propagate.assertion && propagate.assertion->tlv != 0 && !facts.assertion.empty()) {
    identity += facts.host;  // what was signed for one authority is not told of another
    proxy_protocol::append_tlv(header.tlvs, proxy_protocol::TlvType{propagate.assertion->tlv}, facts.assertion);
  }
  if (has(proxy_protocol::TlvType::unique_id)) {
    const auto id = octets_of_id(facts);
    proxy_protocol::append_tlv(header.tlvs, proxy_protocol::TlvType::unique_id, {id.data(), id.size()});
  }
  return proxy_protocol::serialize(header, octets, has(proxy_protocol::TlvType::crc32c), propagate.tlv_padding);
}

}  // namespace telltale::proxy
