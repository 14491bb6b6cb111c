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

void read_header_name(ObjectReader& reader, forwarding::HeaderTrust& trust) {
  using Kind = forwarding::HeaderTrust::Kind;
  std::string name;
  if (!reader.read("header", name)) return;
  if (name == "none") {
    trust.kind = Kind::none;
    trust.field = http::FieldId::other;
    trust.name.clear();
    return;
  }
  const http::FieldId id = http::field_id(name);
  if (!is_token(name)) return reader.error("header", quote(name) + " is not a header name", "like x-forwarded-for");
  if (is_structural(id) || holds_no_address(id)) {
    return reader.error("header", quote(name) + " does not hold a client's address",
                        "x-forwarded-for, forwarded, or a header with a single address such as cf-connecting-ip");
  }
  trust.field = id;
  trust.name = id == http::FieldId::other ? to_lower(name) : std::string(http::field_name(id));
  trust.kind = id == http::FieldId::x_forwarded_for ? Kind::x_forwarded_for
               : id == http::FieldId::forwarded     ? Kind::forwarded
                                                    : Kind::single_address;
}

bool is_everyone(const net::Cidr& range) { return range.prefix_length() == 0; }

void read_trust(ObjectReader& reader, forwarding::HeaderTrust& trust, Ranges& trusted) {
  using Kind = forwarding::HeaderTrust::Kind;
  read_header_name(reader, trust);
  const bool ranges_right = reader.read("trusted", trusted) || !reader.has("trusted");
  trust.trusted = trusted.set();
  reader.read("trusted_hops", trust.trusted_hops);
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
  for (const PlacedRange& each : trusted.list) {
    if (!is_everyone(each.range)) continue;
    const Path list(reader.path(), "trusted");
    reader.context().diagnostics.warning(*each.place, Path(list, each.index),
                                         each.range.to_string() + " trusts everyone: any client can say who it is",
                                         "name the addresses of the hops in front");
  }
}

void read_rule(Context& context, const YamlNode& node, const Path& path, ProxyProtocolRule& rule) {
  ObjectReader reader(context, node, path, schema::proxy_protocol_rule);
  Ranges from;
  const bool right = reader.read("from", from);
  reader.read("policy", rule.policy);
  if (reader.read("version", rule.version) && rule.policy == ProxyPolicy::forbid) {
    reader.warning("version", "has no effect: `forbid` refuses every version");
  }
  rule.from = from.set();
  if (right && rule.from.empty()) reader.error("from", "this rule is for nobody", "name addresses, or remove the rule");
  if (rule.policy != ProxyPolicy::accept && rule.policy != ProxyPolicy::require) return;
  for (const PlacedRange& each : from.list) {
    if (!is_everyone(each.range)) continue;
    const Path list(path, "from");
    context.diagnostics.warning(*each.place, Path(list, each.index),
                                "`" + std::string(word_of(rule.policy)) + "` for " + each.range.to_string() +
                                    ": anyone who can connect can say who the client is",
                                "name the addresses of the load balancer");
  }
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

void read_client_ip(Context& context, const YamlNode& node, const Path& path, ClientIp& client_ip, Ranges& trusted) {
  ObjectReader reader(context, node, path, schema::client_ip);
  reader.each("proxy_protocol", [&](const YamlNode& item, const Path& item_path, std::size_t) {
    read_rule(context, item, item_path, client_ip.proxy_protocol.emplace_back());
  });
  reader.read("proxy_header_timeout", client_ip.proxy_header_timeout);
  reader.read("proxy_max_header_bytes", client_ip.proxy_max_header_bytes);
  reader.read("proxy_header_count", client_ip.proxy_header_count);
  read_trust(reader, client_ip.header, trusted);
  read_assertion_trust(reader, client_ip.assertion);
  read_identity_headers(reader, client_ip);
  std::string source_loss;
  if (reader.read("source_loss", source_loss)) client_ip.detect_source_loss = source_loss == "warn";
}

void read_listener(Context& context, const YamlNode& node, const Path& path, Listener& listener,
                   ListenerSource& source) {
  ObjectReader reader(context, node, path, schema::listener);
  source.node = &node;
  source.name = reader.value("name");
  reader.read("name", listener.name);
  if (reader.read("listen", listener.listen)) source.listen = reader.value("listen");
  std::string protocol;
  reader.read("protocol", protocol);
  reader.read("unix_mode", listener.unix_mode);
  if (reader.has("unix_mode") && source.listen && listener.listen.ip) {
    reader.warning("unix_mode", "has no effect: this listener is not a Unix socket");
  }
  reader.object("client_ip", [&](const YamlNode& value, const Path& at) {
    read_client_ip(context, value, at, listener.client_ip, source.trusted);
  });
  read_limits(reader, listener.limits);
  read_timeouts(reader, listener.timeouts);
  reader.each("routes", [&](const YamlNode& item, const Path& item_path, std::size_t) {
    read_route(context, item, item_path, listener.routes.emplace_back(), source.routes.emplace_back());
  });
  if (reader.has("routes") && reader.value("routes")->items.empty() &&
      reader.value("routes")->kind == YamlNode::Kind::sequence) {
    reader.error("routes", "there is no route: every request would get 404", "or write `service: NAME` instead");
  }
  RouteSource at_listener{&node, reader.value("service"), {}, true};
  if (reader.read("service", at_listener.service_name)) {
    listener.routes.emplace_back().name = "default";
    source.routes.push_back(std::move(at_listener));
  }
}

}  // namespace telltale::conf
