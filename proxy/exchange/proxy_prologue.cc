#include "proxy/exchange/proxy_prologue.h"

#include "protocol/proxy_protocol/serializer.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace telltale::proxy {

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
    const std::uint64_t id[] = {facts.id_high, facts.id_low};
    const std::string_view octets_of_id(reinterpret_cast<const char*>(id), sizeof id);
    proxy_protocol::append_tlv(header.tlvs, proxy_protocol::TlvType::unique_id, octets_of_id);
  }
  return proxy_protocol::serialize(header, octets, has(proxy_protocol::TlvType::crc32c), propagate.tlv_padding);
}

}  // namespace telltale::proxy
