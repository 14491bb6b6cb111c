// Expands a listener and its routes.
#include "conf/emitter.h"

namespace telltale::conf {
namespace {

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

/// Which headers are believed, of whom.
void write_trust(Emitter& out, const ClientIp& client_ip, const Model& model) {
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
    out.word("tlv", tlv_type_word(client_ip.assertion->tlv));
    out.close();
  }
}

void write_client_ip(Emitter& out, const ClientIp& client_ip, Protocol protocol, const Model& model) {
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
  if (protocol == Protocol::http) write_trust(out, client_ip, model);
  out.list("identity_headers", client_ip.header.extra_identity_names);
  out.word("source_loss", client_ip.detect_source_loss ? "warn" : "ignore");
  out.close();
}

void write_tls(Emitter& out, const ListenerTls& tls) {
  out.open("tls");
  out.open("certificates");
  for (const CertificateFiles& files : tls.certificates) {
    out.item();
    out.text("certificate", files.certificate);
    out.text("key", files.key);
    out.text_if_any("ocsp", files.ocsp);
    out.close();
  }
  out.close();
  out.choice("policy", tls.policy);
  out.list("alpn", tls.alpn);
  out.duration("handshake_timeout", tls.handshake_timeout);
  if (tls.client_certificates) {
    out.open("client_certificates");
    out.choice("mode", tls.client_certificates->mode);
    out.text("ca", tls.client_certificates->ca_file);
    out.text_if_any("crl", tls.client_certificates->crl_file);
    out.number("depth", std::uint64_t{tls.client_certificates->depth});
    out.close();
  }
  out.text_if_any("ticket_key_file", tls.ticket_key_file);
  if (tls.hsts) {
    out.open("hsts");
    out.duration("max_age", tls.hsts->max_age);
    out.flag("include_subdomains", tls.hsts->include_subdomains);
    out.flag("preload", tls.hsts->preload);
    out.close();
  }
  out.close();
}

/// Of `protocol: tcp` the only one is that of the ClientHello.
void write_timeouts(Emitter& out, const Listener& listener) {
  const bool http = listener.protocol == Protocol::http;
  if (!http && !listener.peeks()) return;
  out.open("timeouts");
  out.duration("header", listener.timeouts.header);
  if (http) {
    out.duration("body", listener.timeouts.body);
    out.duration("idle", listener.timeouts.idle);
    out.duration("write", listener.timeouts.write);
  }
  out.close();
}

void write_conditions(Emitter& out, const std::vector<Condition>& conditions) {
  using Of = ConnectionTrait::Of;
  std::string_view open;
  const auto in = [&](std::string_view object) {
    if (object == open) return;
    if (!open.empty()) out.close();
    if (!object.empty()) out.open(object);
    open = object;
  };
  for (const Condition& each : conditions) {  // sorted by what they are of
    std::string text = each.octets;
    if (each.trait.of == Of::tlv) {
      in("tlv");
      text.clear();
      proxy_protocol::append_tlv_value(text, each.octets, each.trait.selector);
      out.text(proxy_protocol::tlv_name(each.trait.selector), text);
    } else {
      in(each.trait.of == Of::alpn ? "" : "client_cert");
      out.text(word_of(each.trait.of), text);
    }
  }
  in("");
}

void write_route(Emitter& out, const Route& route, Protocol protocol, const Model& model) {
  out.item();
  out.text("name", route.name);
  if (!route.match.host.empty() || !route.match.path.empty() || !route.match.conditions.empty()) {
    out.open("match");
    out.text_if_any(protocol == Protocol::tcp ? "sni" : "host", route.match.host);
    out.text_if_any("path", route.match.path);
    if (!route.match.path.empty()) out.choice("path_type", route.match.path_type);
    write_conditions(out, route.match.conditions);
    out.close();
  }
  if (route.service) out.text("service", model.services[*route.service].name);
  if (route.timeouts) write_service_timeouts(out, *route.timeouts);
  if (route.retries) write_retries(out, *route.retries);
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

}  // namespace

void write_listener(Emitter& out, const Listener& listener, const Model& model) {
  out.item();
  out.text("name", listener.name);
  out.address("listen", listener.listen);
  out.choice("protocol", listener.protocol);
  if (!listener.listen.ip) out.text("unix_mode", format_mode(listener.unix_mode));
  out.flag("internal", listener.internal);
  write_client_ip(out, listener.client_ip, listener.protocol, model);
  if (listener.tls) write_tls(out, *listener.tls);
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
  write_timeouts(out, listener);
  out.open("routes");
  for (const Route& route : listener.routes) write_route(out, route, listener.protocol, model);
  out.close();
  out.close();
}

}  // namespace telltale::conf
