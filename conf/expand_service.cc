// Expands a service: who serves, how they are probed, and what they are told.
#include "conf/emitter.h"

#include <algorithm>

namespace telltale::conf {
namespace {

void write_endpoints(Emitter& out, const std::vector<Endpoint>& endpoints) {
  if (endpoints.empty()) return;
  out.open("endpoints");
  for (const Endpoint& endpoint : endpoints) {
    out.item();
    out.address("address", endpoint.address);
    out.text("name", endpoint.name);
    out.number("weight", std::uint64_t{endpoint.weight});
    out.close();
  }
  out.close();
}

void write_nodes(Emitter& out, const std::vector<Node>& nodes) {
  if (nodes.empty()) return;
  out.open("nodes");
  for (const Node& node : nodes) {
    out.item();
    out.text("name", node.name);
    out.text("address", node.host);
    out.number("port", node.port);
    out.text_if_any("zone", node.zone);
    out.number("weight", std::uint64_t{node.weight});
    out.number("health_port", node.health_port);
    write_endpoints(out, node.endpoints);
    out.close();
  }
  out.close();
}

void write_health(Emitter& out, const Health& health) {
  out.open("health");
  if (health.kind == ProbeKind::tcp) {
    out.flag("tcp", true);
  } else {
    out.text("http", health.path);
    out.text_if_any("host", health.host);
  }
  out.number("port", health.port);
  out.duration("interval", health.interval);
  out.duration("timeout", health.timeout);
  out.number("rise", health.rise);
  out.number("fall", health.fall);
  out.number("fall_draining", health.fall_draining);
  out.flag("strict", health.strict);
  out.word("weight", health.weight_from_probe ? "probe" : "config");
  out.choice("send_proxy", health.send_proxy);
  out.close();
}

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

void write_propagate(Emitter& out, const forwarding::Propagate& propagate) {
  out.open("propagate");
  out.choice("x_forwarded_for", propagate.x_forwarded_for);
  write_forwarded(out, propagate.forwarded);
  out.flag("x_forwarded_proto", propagate.x_forwarded_proto);
  out.flag("x_forwarded_host", propagate.x_forwarded_host);
  out.flag("x_forwarded_port", propagate.x_forwarded_port);
  out.flag("x_real_ip", propagate.x_real_ip);
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

}  // namespace

std::string tlv_type_word(std::uint8_t type) {
  if (type == 0) return "off";
  constexpr std::string_view digits = "0123456789ABCDEF";
  return {'0', 'x', digits[type >> 4], digits[type & 15]};
}

void write_service(Emitter& out, const Service& service) {
  out.item();
  out.text("name", service.name);
  out.choice("external_traffic_policy", service.external_traffic_policy);
  out.choice("balance", service.balance.policy);
  out.number("port", service.port);
  write_nodes(out, service.nodes);
  write_endpoints(out, service.endpoints);
  if (service.health) write_health(out, *service.health);
  write_propagate(out, service.propagate);
  out.open("timeouts");
  out.duration("connect", service.timeouts.connect);
  out.duration("response", service.timeouts.response);
  out.close();
  out.open("pool");
  out.number("max_idle", service.pool.max_idle);
  out.number("max_idle_identities", service.pool.max_idle_identities);
  out.duration("idle_timeout", service.pool.idle_timeout);
  out.close();
  out.number("retries", service.retries.attempts);
  out.close();
}

}  // namespace telltale::conf
