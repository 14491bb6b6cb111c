// Expands what the backends are told.
#include "conf/emitter.h"

#include <algorithm>

namespace telltale::conf {
namespace {

void write_node_name(Emitter& out, std::string_view key, const forwarding::NodeName& name) {
  if (name.form == forwarding::NodeName::Form::fixed) {
    out.text(key, name.identifier);
  } else if (name.form != forwarding::NodeName::Form::address) {
    out.choice(key, name.form);
  }
}

void write_forwarded(Emitter& out, const forwarding::ForwardedOptions& forwarded) {
  std::vector<std::string> parameters;
  if (forwarded.write_for) parameters.emplace_back("for");
  if (forwarded.write_by) parameters.emplace_back("by");
  if (forwarded.write_host) parameters.emplace_back("host");
  if (forwarded.write_proto) parameters.emplace_back("proto");
  out.open("forwarded");
  out.choice("mode", forwarded.mode);
  out.list("parameters", parameters);
  out.flag("ports", forwarded.ports);
  write_node_name(out, "for", forwarded.for_name);
  write_node_name(out, "by", forwarded.by_name);
  if (!forwarded.extensions.empty()) {
    out.open("extensions");
    for (const auto& each : forwarded.extensions) out.format(quote_yaml(each.name), each.value.text());
    out.close();
  }
  out.close();
}

void write_proxy_protocol(Emitter& out, const forwarding::Propagate& propagate) {
  const bool v1 = propagate.proxy_version == proxy_protocol::Version::v1;
  out.word("proxy_protocol", !propagate.proxy_protocol ? "off" : v1 ? "v1" : "v2");
  std::vector<std::string> tlvs;
  tlvs.reserve(propagate.tlvs.size());
  for (const auto type : propagate.tlvs) {
    tlvs.emplace_back(std::ranges::find(tlv_words, type, &TlvWord::type)->word);
  }
  out.list("tlvs", tlvs);
  std::vector<std::string> passed;
  passed.reserve(propagate.pass_tlvs.size());
  for (const auto& selector : propagate.pass_tlvs) passed.push_back(proxy_protocol::tlv_name(selector));
  out.list("pass_tlvs", passed);
  out.number("tlv_padding", std::uint64_t{propagate.tlv_padding});
  if (propagate.custom_tlvs.empty()) return;
  out.open("custom_tlvs");
  for (const auto& each : propagate.custom_tlvs) {
    out.format(tlv_type_word(static_cast<std::uint8_t>(each.type)), each.value.text());
  }
  out.close();
}

}  // namespace

void write_propagate(Emitter& out, const forwarding::Propagate& propagate) {
  out.open("propagate");
  out.choice("x_forwarded_for", propagate.x_forwarded_for);
  write_forwarded(out, propagate.forwarded);
  out.flag("x_forwarded_proto", propagate.x_forwarded_proto);
  out.flag("x_forwarded_host", propagate.x_forwarded_host);
  out.flag("x_forwarded_port", propagate.x_forwarded_port);
  out.flag("x_real_ip", propagate.x_real_ip);
  out.choice("x_forwarded_client_cert", propagate.x_forwarded_client_cert);
  out.flag("via", propagate.via);
  out.word("source_address", propagate.transparent_source ? "transparent" : "own");
  if (propagate.assertion) {
    out.open("assertion");
    out.text("key_file", propagate.assertion->key_file);
    out.flag("header", propagate.assertion->header);
    out.word("tlv", tlv_type_word(propagate.assertion->tlv));
    out.close();
  }
  write_proxy_protocol(out, propagate);
  if (!propagate.headers.empty()) {
    out.open("headers");
    for (const auto& each : propagate.headers) out.format(quote_yaml(each.name), each.value.text());
    out.close();
  }
  out.close();
}

std::string tlv_type_word(std::uint8_t type) {
  if (type == 0) return "off";
  constexpr std::string_view digits = "0123456789ABCDEF";
  return {'0', 'x', digits[type >> 4], digits[type & 15]};
}

}  // namespace telltale::conf
