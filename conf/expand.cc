#include "conf/expand.h"

#include "conf/environment.h"
#include "conf/text.h"
#include "conf/words.h"

#include <algorithm>
#include <concepts>

namespace telltale::conf {
namespace {

/// Writes block-style YAML.
class Emitter {
 public:
  explicit Emitter(Comments comments) : comments_(comments) {}
  void open(std::string_view key) {
    begin(key);
    out_ += '\n';
    depth_ += 2;
  }
  void close() { depth_ -= 2; }
  /// The next field starts an item of the list that is open.
  void item() {
    item_ = true;
    depth_ += 2;
  }

  void word(std::string_view key, std::string_view value) {
    begin(key);
    out_.append(" ").append(value).append("\n");
  }
  void text(std::string_view key, std::string_view value) { word(key, quote_yaml(escape_environment(value))); }
  void text_if_any(std::string_view key, std::string_view value) {
    if (!value.empty()) text(key, value);
  }
  /// A template: variables of the environment are not expanded in it, so it is not escaped.
  void format(std::string_view key, std::string_view value) { word(key, quote_yaml(value)); }
  void flag(std::string_view key, bool value) { word(key, value ? "true" : "false"); }
  void number(std::string_view key, std::uint64_t value) { word(key, std::to_string(value)); }
  template <std::unsigned_integral T>
  void number(std::string_view key, const std::optional<T>& value) {
    if (value) number(key, std::uint64_t{*value});
  }
  void size(std::string_view key, std::uint64_t value) { word(key, format_size(value)); }
  void duration(std::string_view key, Milliseconds value) { word(key, format_duration(value)); }
  void address(std::string_view key, const Address& value) { text(key, value.to_string()); }
  template <class E>
  void choice(std::string_view key, E value) {
    word(key, word_of(value));
  }
  void list(std::string_view key, const std::vector<std::string>& values) {
    std::string all;
    for (const std::string& value : values) all += (all.empty() ? "" : ", ") + quote_yaml(escape_environment(value));
    word(key, "[" + all + "]");
  }
  void ranges(std::string_view key, const RangeList& given) {
    std::vector<std::string> values = given.published;
    for (const net::Cidr& range : given.ranges) values.push_back(range.to_string());
    if (given.includes_unix) values.emplace_back("unix");
    list(key, values);
  }
  /// A line of its own before the next field.
  void comment(std::string_view text) {
    if (comments_ == Comments::none) return;
    out_.append(depth_ - (item_ ? 2 : 0), ' ');
    out_.append("# ").append(text).append("\n");
  }

  std::string take() { return std::move(out_); }

 private:
  void begin(std::string_view key) {
    out_.append(depth_ - (item_ ? 2 : 0), ' ');
    if (item_) out_ += "- ";
    item_ = false;
    out_.append(key).append(":");
  }
  Comments comments_;
  std::string out_;
  std::size_t depth_ = 0;
  bool item_ = false;
};

void write_process(Emitter& out, const Model& model) {
  if (model.workers == 0) {
    out.word("workers", "auto");
  } else {
    out.number("workers", model.workers);
  }
  out.number("max_connections", model.max_connections);
  if (model.admin.listen) {
    out.open("admin");
    out.address("listen", *model.admin.listen);
    out.number("explain_requests", model.admin.explain_requests);
    out.close();
  } else {
    out.word("admin", "off");
  }
  out.open("log");
  out.word("level", model.log.level);
  out.choice("format", model.log.format);
  out.text_if_any("file", model.log.file);
  out.close();
  out.open("access_log");
  out.choice("format", model.access_log.format);
  out.text_if_any("file", model.access_log.file);
  if (!model.access_log.text.empty()) out.format("text", model.access_log.text);
  out.flag("queries", model.access_log.queries);
  out.close();
  out.open("drain");
  out.duration("delay", model.drain.delay);
  out.duration("grace", model.drain.grace);
  out.close();
  out.text_if_any("ranges", model.ranges_file);
}

void comment_on_preset(Emitter& out, const PresetUse& use) {
  if (use.preset == nullptr) return;
  const std::string name(use.preset->name);
  std::string fields;
  for (const auto& [used, field] : {std::pair(use.proxy_protocol, "proxy_protocol"), std::pair(use.header, "header"),
                                    std::pair(use.trusted, "trusted"), std::pair(use.trusted_hops, "trusted_hops")}) {
    if (used) fields += (fields.empty() ? "" : ", ") + std::string(field);
  }
  out.comment("behind: " + name + " (" + (fields.empty() ? "every field of it is written out" : "gives " + fields) +
              ")");
  out.comment("It sends: " + std::string(use.preset->sends) + ". " + std::string(use.preset->why));
}

/// What the names in a list stand for.
void comment_on_lists(Emitter& out, const RangeList& list, const Model& model) {
  for (const std::string& name : list.published) {
    const PublishedList* found = model.ranges ? model.ranges->find(name) : nullptr;
    if (found == nullptr) continue;
    std::string text = name + (found->date.empty() ? "" : ", published " + found->date) + ":";
    for (const net::Cidr& range : found->ranges) text += " " + range.to_string();
    out.comment(text);
  }
}

void write_client_ip(Emitter& out, const ClientIp& client_ip, const Model& model) {
  out.open("client_ip");
  comment_on_preset(out, client_ip.behind);
  if (!client_ip.proxy_protocol.empty()) {
    out.open("proxy_protocol");
    for (const ProxyProtocolRule& rule : client_ip.proxy_protocol) {
      out.item();
      comment_on_lists(out, rule.from_list, model);
      out.ranges("from", rule.from_list);
      out.choice("policy", rule.policy);
      if (rule.version != ProxyVersions::any) out.choice("version", rule.version);
      out.close();
    }
    out.close();
  }
  out.duration("proxy_header_timeout", client_ip.proxy_header_timeout);
  out.size("proxy_max_header_bytes", client_ip.proxy_max_header_bytes);
  out.number("proxy_header_count", client_ip.proxy_header_count);
  const forwarding::HeaderTrust& header = client_ip.header;
  const bool none = header.kind == forwarding::HeaderTrust::Kind::none;
  // The default while nobody is trusted is not worth a line, nor the warning that it would get.
  if (header.kind != forwarding::HeaderTrust::Kind::x_forwarded_for || !header.trusted.empty()) {
    out.text("header", none ? "none" : header.name);
  }
  comment_on_lists(out, client_ip.trusted_list, model);
  out.ranges("trusted", client_ip.trusted_list);
  out.number("trusted_hops", header.trusted_hops);
  out.choice("on_invalid", header.on_invalid);
  if (client_ip.assertion) {
    out.open("assertion");
    out.text("key_file", client_ip.assertion->key_file);
    out.duration("max_age", client_ip.assertion->window.max_age);
    out.duration("clock_skew", client_ip.assertion->window.clock_skew);
    out.close();
  }
  out.list("identity_headers", client_ip.header.extra_identity_names);
  out.word("source_loss", client_ip.detect_source_loss ? "warn" : "ignore");
  out.close();
}

void write_tlv_conditions(Emitter& out, const std::vector<TlvCondition>& conditions) {
  out.open("tlv");
  for (const TlvCondition& each : conditions) {
    std::string text;
    proxy_protocol::append_tlv_value(text, each.octets, each.selector);
    out.text(proxy_protocol::tlv_name(each.selector), text);
  }
  out.close();
}

void write_route(Emitter& out, const Route& route, const Model& model) {
  out.item();
  out.text("name", route.name);
  if (!route.match.host.empty() || !route.match.path.empty() || !route.match.tlvs.empty()) {
    out.open("match");
    out.text_if_any("host", route.match.host);
    out.text_if_any("path", route.match.path);
    if (!route.match.path.empty()) out.choice("path_type", route.match.path_type);
    if (!route.match.tlvs.empty()) write_tlv_conditions(out, route.match.tlvs);
    out.close();
  }
  if (route.service) out.text("service", model.services[*route.service].name);
  if (route.redirect) {
    out.open("redirect");
    out.number("status", route.redirect->status);
    out.text_if_any("scheme", route.redirect->scheme);
    out.text_if_any("host", route.redirect->host);
    out.text_if_any("path", route.redirect->path);
    out.close();
  }
  if (route.respond) {
    out.open("respond");
    out.number("status", route.respond->status);
    out.text("content_type", route.respond->content_type);
    out.text("body", route.respond->body);
    out.close();
  }
  out.close();
}

void write_listener(Emitter& out, const Listener& listener, const Model& model) {
  out.item();
  out.text("name", listener.name);
  out.address("listen", listener.listen);
  out.word("protocol", "http");
  if (!listener.listen.ip) out.text("unix_mode", format_mode(listener.unix_mode));
  write_client_ip(out, listener.client_ip, model);
  const ListenerLimits& limits = listener.limits;
  out.open("limits");
  out.size("max_head_bytes", limits.head.max_head_bytes);
  out.size("max_target_bytes", limits.head.max_target_bytes);
  out.number("max_fields", limits.head.max_fields);
  out.size("max_body_bytes", limits.max_body_bytes);
  out.number("max_connections", limits.max_connections);
  out.number("max_connections_per_client", limits.max_connections_per_client);
  out.choice("underscores", limits.head.underscores);
  out.close();
  out.open("timeouts");
  out.duration("header", listener.timeouts.header);
  out.duration("body", listener.timeouts.body);
  out.duration("idle", listener.timeouts.idle);
  out.duration("write", listener.timeouts.write);
  out.close();
  out.open("routes");
  for (const Route& route : listener.routes) write_route(out, route, model);
  out.close();
  out.close();
}

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

/// `0xE4`; 0 is `off`.
std::string tlv_type_word(std::uint8_t type) {
  if (type == 0) return "off";
  constexpr std::string_view digits = "0123456789ABCDEF";
  return {'0', 'x', digits[type >> 4], digits[type & 15]};
}

void write_propagate(Emitter& out, const forwarding::Propagate& propagate) {
  out.open("propagate");
  out.choice("x_forwarded_for", propagate.x_forwarded_for);
  const forwarding::ForwardedOptions& forwarded = propagate.forwarded;
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
  const bool v1 = propagate.proxy_version == proxy_protocol::Version::v1;
  out.word("proxy_protocol", !propagate.proxy_protocol ? "off" : v1 ? "v1" : "v2");
  std::vector<std::string> tlvs;
  tlvs.reserve(propagate.tlvs.size());
  for (const auto type : propagate.tlvs) {
    tlvs.emplace_back(std::ranges::find(tlv_words, type, &TlvWord::type)->word);
  }
  out.list("tlvs", tlvs);
  std::vector<std::string> passed;
  for (const auto& selector : propagate.pass_tlvs) passed.push_back(proxy_protocol::tlv_name(selector));
  out.list("pass_tlvs", passed);
  out.number("tlv_padding", std::uint64_t{propagate.tlv_padding});
  if (!propagate.custom_tlvs.empty()) {
    out.open("custom_tlvs");
    for (const auto& each : propagate.custom_tlvs) {
      const char digit = "0123456789ABCDEF"[static_cast<unsigned>(each.type) & 0xf];
      out.format(std::string("0xE") + digit, each.value.text());
    }
    out.close();
  }
  if (!propagate.headers.empty()) {
    out.open("headers");
    for (const auto& each : propagate.headers) out.format(quote_yaml(each.name), each.value.text());
    out.close();
  }
  out.close();
}

void write_service(Emitter& out, const Service& service) {
  out.item();
  out.text("name", service.name);
  out.choice("external_traffic_policy", service.external_traffic_policy);
  out.choice("balance", service.balance);
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
  out.number("retries", service.retries);
  out.close();
}

}  // namespace

std::string expand(const Model& model, Comments comments) {
  Emitter out(comments);
  write_process(out, model);
  out.open("listeners");
  for (const Listener& listener : model.listeners) write_listener(out, listener, model);
  out.close();
  if (!model.services.empty()) {
    out.open("services");
    for (const Service& service : model.services) write_service(out, service);
    out.close();
  }
  return out.take();
}

}  // namespace telltale::conf
