#include "proxy/exchange/dropped_assertion.h"

#include "conf/text.h"
#include "protocol/forwarding/asserted_client.h"
#include "protocol/proxy_protocol/tlv_names.h"

#include <spdlog/spdlog.h>

namespace telltale::proxy {

std::string explain_dropped_assertion(forwarding::RejectReason reason, const conf::AssertionTrust& trust) {
  using enum forwarding::RejectReason;
  const std::string& file = trust.key_file;
  switch (reason) {
    case assertion_malformed:
      return "it is malformed, or came twice: only a proxy that signs (`propagate: { assertion }`) writes it, once";
    case assertion_unknown_key:
      return "no key has its key id: add the signer's key to " + file + " as its second line";
    case assertion_bad_signature:
      return "the signature does not fit: the key of that id in " + file +
             " is not the signer's, or somebody forges, or changed it on the way";
    case assertion_other_authority:
      return "it was made for another host: what is between the signer and this listener changes Host, or somebody "
             "uses it again";
    case assertion_expired:
      return "it is older than client_ip.assertion.max_age (" + conf::format_duration(trust.window.max_age) +
             "): somebody uses it again, or the clocks differ";
    case assertion_not_yet_valid:
      return "it is from the future by more than client_ip.assertion.clock_skew (" +
             conf::format_duration(trust.window.clock_skew) + "): the clocks differ";
    default:
      return std::string(to_string(reason));
  }
}

std::string assertion_place(std::uint8_t tlv) {
  return tlv == 0 ? "X-Telltale-Client"
                  : "PROXY TLV " + proxy_protocol::tlv_name({.type = proxy_protocol::TlvType{tlv}});
}

void report_dropped_assertion(WorkerContext& worker, const ConnectionContext& connection, assertion::Verdict verdict,
                              std::uint8_t tlv) {
  auto& rates = worker.dropped_assertion_rates[connection.listener_index];
  const auto held_back = rates[static_cast<std::size_t>(verdict)].admit(worker.loop.now());
  if (!held_back) return;
  const auto& peer = connection.peer.socket_peer;
  spdlog::warn("listener {}: a signed assertion from {} dropped{}: {} (verdict {}){}", connection.listener->name,
               peer ? peer->to_string() : "unix", tlv == 0 ? "" : " (" + assertion_place(tlv) + ")",
               explain_dropped_assertion(forwarding::reason_of(verdict), *connection.listener->client_ip.assertion),
               to_string(verdict), and_held_back(*held_back));
}

}  // namespace telltale::proxy
