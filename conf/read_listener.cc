#include "conf/read.h"
#include "conf/text.h"
#include "protocol/http/field_id.h"

#include <algorithm>

namespace telltale::conf {
namespace {

/// Fields that connection management and framing live by: neither believed nor stripped as an identity.
bool is_structural(http::FieldId id) { return id != http::FieldId::other && !http::is_identity(id); }

/// Identity fields that hold something else than the client's address.
bool holds_no_address(http::FieldId id) {
  using enum http::FieldId;
  constexpr http::FieldId others[] = {x_forwarded_proto,  x_forwarded_host,        x_forwarded_port, x_forwarded_prefix,
                                      x_forwarded_server, x_forwarded_client_cert, x_forwarded_tls,  x_forwarded_scheme,
                                      x_original_host,    x_envoy_internal,        client_cert,      x_telltale_client};
  return std::ranges::find(others, id) != std::end(others);
}

void set_header(forwarding::HeaderTrust& trust, std::string_view name) {
  using Kind = forwarding::HeaderTrust::Kind;
  if (name == "none") {
    trust.kind = Kind::none;
    trust.field = http::FieldId::other;
    trust.name.clear();
    return;
  }
  const http::FieldId id = http::field_id(name);
  trust.field = id;
  trust.name = id == http::FieldId::other ? to_lower(name) : std::string(http::field_name(id));
  trust.kind = id == http::FieldId::x_forwarded_for ? Kind::x_forwarded_for
               : id == http::FieldId::forwarded     ? Kind::forwarded
                                                    : Kind::single_address;
}

void read_header_name(ObjectReader& reader, forwarding::HeaderTrust& trust) {
  std::string name;
  if (!reader.read("header", name)) return;
  const http::FieldId id = http::field_id(name);
  if (!is_token(name)) return reader.error("header", quote(name) + " is not a header name", "like x-forwarded-for");
  if (is_structural(id) || holds_no_address(id)) {
    return reader.error("header", quote(name) + " does not hold a client's address",
                        "x-forwarded-for, forwarded, or a header with a single address such as cf-connecting-ip");
  }
  set_header(trust, name);
}

/// A preset that tells by PROXY alone says `header: none`; but `trusted` beside it names hops whose header is believed.
void fill_header(ObjectReader& reader, ClientIp& client_ip) {
  const Preset* preset = client_ip.behind.preset;
  if (preset == nullptr || reader.has("header")) return;
  if (preset->header == "none" && reader.has("trusted")) return;
  set_header(client_ip.header, preset->header);
  client_ip.behind.header = true;
  if (preset->trusted_hops == 0 || reader.has("trusted_hops")) return;
  client_ip.header.trusted_hops = preset->trusted_hops;
  client_ip.behind.trusted_hops = true;
}

bool is_everyone(const net::Cidr& range) { return range.prefix_length() == 0; }

/// Warns of each range that holds every address.
void warn_of_everyone(ObjectReader& reader, const Ranges& ranges, std::string_view before, std::string_view after,
                      std::string_view hint) {
  for (const PlacedRange& each : ranges.list) {
    if (!is_everyone(each.range)) continue;
    const Path list(reader.path(), ranges.field);
    reader.context().diagnostics.warning(*each.place, Path(list, each.index),
                                         std::string(before) + each.range.to_string() + std::string(after),
                                         std::string(hint));
  }
}

void check_hops(ObjectReader& reader, const forwarding::HeaderTrust& trust, bool ranges_right) {
  using Kind = forwarding::HeaderTrust::Kind;
  if (trust.trusted_hops > 0) {
    if (trust.kind == Kind::none) {
      reader.error("trusted_hops", "there are no hops to count with `header: none`",
                   "name the header, or remove trusted_hops");
    } else if (trust.kind == Kind::single_address) {
      reader.error("trusted_hops", quote(trust.name) + " holds one address, not a list of hops",
                   "only x-forwarded-for and forwarded have hops to count");
    } else if (ranges_right && trust.trusted.empty()) {
      reader.error("trusted_hops", "the peer must be in `trusted`, and nobody is",
                   "add `trusted:` with the addresses of the hop that connects to this listener");
    }
  } else if (reader.has("header") && trust.kind != Kind::none && ranges_right && trust.trusted.empty()) {
    reader.warning("header", "nobody is in `trusted`, so this header is never believed",
                   "add `trusted:` with the addresses of the hops in front");
  }
}

void read_trust(ObjectReader& reader, const Behind& behind, ClientIp& client_ip, Ranges& trusted) {
  forwarding::HeaderTrust& trust = client_ip.header;
  read_header_name(reader, trust);
  bool ranges_right = reader.read("trusted", trusted) || !reader.has("trusted");
  trusted.field = "trusted";
  reader.read("trusted_hops", trust.trusted_hops);
  reader.read("on_invalid", trust.on_invalid);
  fill_header(reader, client_ip);
  if (behind.preset != nullptr && behind.preset->tells == Preset::Tells::header && !reader.has("trusted")) {
    trusted = behind.from;
    ranges_right = behind.right;
    client_ip.behind.trusted = true;
  }
  client_ip.trusted_list = trusted.as_list();
  trust.trusted = trusted.set();
  check_hops(reader, trust, ranges_right);
  warn_of_everyone(reader, trusted, "", " trusts everyone: any client can say who it is",
                   "name the addresses of the hops in front");
}

void warn_of_open_policy(ObjectReader& reader, const Ranges& from, ProxyPolicy policy) {
  if (policy != ProxyPolicy::accept && policy != ProxyPolicy::require) return;
  warn_of_everyone(reader, from, "`" + std::string(word_of(policy)) + "` for ",
                   ": anyone who can connect can say who the client is", "name the addresses of the load balancer");
}

void read_rule(Context& context, const YamlNode& node, const Path& path, ProxyProtocolRule& rule) {
  ObjectReader reader(context, node, path, schema::proxy_protocol_rule);
  Ranges from;
  from.field = "from";
  const bool right = reader.read("from", from);
  reader.read("policy", rule.policy);
  if (reader.read("version", rule.version) && rule.policy == ProxyPolicy::forbid) {
    reader.warning("version", "has no effect: `forbid` refuses every version");
  }
  rule.from_list = from.as_list();
  rule.from = from.set();
  if (right && rule.from.empty()) reader.error("from", "this rule is for nobody", "name addresses, or remove the rule");
  warn_of_open_policy(reader, from, rule.policy);
}

void read_identity_headers(ObjectReader& reader, ClientIp& client_ip) {
  reader.read("identity_headers", client_ip.header.extra_identity_names);
  for (std::string& name : client_ip.header.extra_identity_names) {
    if (!is_token(name)) {
      reader.error("identity_headers", quote(name) + " is not a header name", "like x-tenant-client-ip");
    } else if (is_structural(http::field_id(name))) {
      reader.error("identity_headers", quote(name) + " cannot be removed: requests need it");
    }
    name = to_lower(name);
  }
}

void read_limits(ObjectReader& listener, ListenerLimits& limits) {
  listener.object("limits", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(listener.context(), node, path, schema::listener_limits);
    reader.read("max_head_bytes", limits.head.max_head_bytes);
    reader.read("max_target_bytes", limits.head.max_target_bytes);
    reader.read("max_fields", limits.head.max_fields);
    reader.read("underscores", limits.head.underscores);
    reader.read("max_body_bytes", limits.max_body_bytes);
    reader.read("max_connections", limits.max_connections);
    reader.read("max_connections_per_client", limits.max_connections_per_client);
  });
}

void read_timeouts(ObjectReader& listener, ListenerTimeouts& timeouts) {
  listener.object("timeouts", [&](const YamlNode& node, const Path& path) {
    ObjectReader reader(listener.context(), node, path, schema::listener_timeouts);
    reader.read("header", timeouts.header);
    reader.read("body", timeouts.body);
    reader.read("idle", timeouts.idle);
    reader.read("write", timeouts.write);
  });
}

}  // namespace

void read_client_ip(Context& context, const YamlNode& node, const Path& path, ClientIp& client_ip,
                    ListenerSource& source) {
  ObjectReader reader(context, node, path, schema::client_ip);
  const Behind behind = read_behind(reader);
  client_ip.behind.preset = behind.preset;
  reader.each("proxy_protocol", [&](const YamlNode& item, const Path& item_path, std::size_t) {
    read_rule(context, item, item_path, client_ip.proxy_protocol.emplace_back());
    source.proxy_rules.push_back(&item);
  });
  client_ip.behind.proxy_protocol = fill_proxy_protocol(reader, behind, client_ip);
  if (client_ip.behind.proxy_protocol) warn_of_open_policy(reader, behind.from, ProxyPolicy::require);
  reader.read("proxy_header_timeout", client_ip.proxy_header_timeout);
  reader.read("proxy_max_header_bytes", client_ip.proxy_max_header_bytes);
  reader.read("proxy_header_count", client_ip.proxy_header_count);
  read_trust(reader, behind, client_ip, source.trusted);
  read_assertion_trust(reader, client_ip.assertion);
  read_identity_headers(reader, client_ip);
  std::string source_loss;
  if (reader.read("source_loss", source_loss)) client_ip.detect_source_loss = source_loss == "warn";
}

namespace {

/// What only requests have.
void check_tcp(ObjectReader& reader, const Listener& listener) {
  for (const Field& field : schema::listener_timeouts.fields) {
    const YamlNode* timeouts = reader.value("timeouts");
    if (timeouts == nullptr || timeouts->find(field.name) == nullptr) continue;
    if (field.name == "header" && listener.peeks()) continue;  // of the ClientHello
    reader.warning("timeouts", quote(field.name) + " has no effect with `protocol: tcp`",
                   "`timeouts: { connect, idle }` of the service");
  }
  const YamlNode* client_ip = reader.value("client_ip");
  if (client_ip == nullptr) return;
  for (const std::string_view field : {"header", "trusted", "trusted_hops", "assertion"}) {
    if (client_ip->find(field) == nullptr) continue;
    reader.warning("client_ip", quote(field) + " has no effect with `protocol: tcp`: there is no header but PROXY");
  }
}

}  // namespace

void read_listener(Context& context, const YamlNode& node, const Path& path, Listener& listener,
                   ListenerSource& source) {
  ObjectReader reader(context, node, path, schema::listener);
  source.node = &node;
  source.name = reader.value("name");
  reader.read("name", listener.name);
  if (reader.read("listen", listener.listen)) source.listen = reader.value("listen");
  reader.read("protocol", listener.protocol);
  reader.read("unix_mode", listener.unix_mode);
  if (reader.has("unix_mode") && source.listen && listener.listen.ip) {
    reader.warning("unix_mode", "has no effect: this listener is not a Unix socket");
  }
  reader.read("internal", listener.internal);
  reader.object("client_ip", [&](const YamlNode& value, const Path& at) {
    read_client_ip(context, value, at, listener.client_ip, source);
  });
  read_listener_tls(reader, listener.protocol, listener.tls);
  read_limits(reader, listener.limits);
  read_timeouts(reader, listener.timeouts);
  reader.each("routes", [&](const YamlNode& item, const Path& item_path, std::size_t) {
    read_route(context, item, item_path, listener.protocol, listener.routes.emplace_back(),
               source.routes.emplace_back());
  });
  if (reader.has("routes") && reader.value("routes")->items.empty() &&
      reader.value("routes")->kind == YamlNode::Kind::sequence) {
    reader.error("routes", "there is no route: every request would get 404", "or write `service: NAME` instead");
  }
  RouteSource at_listener{.node = &node, .service = reader.value("service"), .at_listener = true};
  if (reader.read("service", at_listener.service_name)) {
    listener.routes.emplace_back().name = "default";
    source.routes.push_back(std::move(at_listener));
  }
  if (listener.protocol == Protocol::tcp) check_tcp(reader, listener);
}

}  // namespace telltale::conf
