// Expands who serves, and how they are probed.
#include "conf/emitter.h"

namespace telltale::conf {
namespace {

void write_place(Emitter& out, const Endpoint& endpoint) {
  if (!endpoint.dns) {
    out.address("address", endpoint.address);
  } else if (endpoint.dns->kind == DnsName::Kind::srv) {
    out.text("srv", endpoint.dns->name);
  } else {
    out.text("address", Backend{{}, endpoint.dns}.to_string());
  }
}

void write_kind(Emitter& out, const Health& health) {
  switch (health.kind) {
    case ProbeKind::http:
      return out.text("http", health.path);
    case ProbeKind::https:
      return out.text("https", health.path);
    case ProbeKind::tcp:
      return out.flag("tcp", true);
    case ProbeKind::grpc:
      return health.grpc_service.empty() ? out.flag("grpc", true) : out.text("grpc", health.grpc_service);
    case ProbeKind::track:
      return out.text("track", health.track);
  }
}

void write_http_fields(Emitter& out, const Health& health) {
  if (!health.headers.empty()) {
    out.open("headers");
    for (const auto& [name, value] : health.headers) out.text(quote_yaml(name), value);
    out.close();
  }
  if (!health.expect_statuses.empty() || !health.expect_body.empty()) {
    out.open("expect");
    if (!health.expect_statuses.empty()) out.statuses("status", health.expect_statuses);
    out.text_if_any("body", health.expect_body);
    out.close();
  }
  if (health.kind == ProbeKind::https) {
    out.open("tls");
    write_verification(out, health.tls);
    out.close();
  }
  out.flag("strict", health.strict);
  out.word("weight", health.weight_from_probe ? "probe" : "config");
}

}  // namespace

void write_endpoints(Emitter& out, const std::vector<Endpoint>& endpoints) {
  if (endpoints.empty()) return;
  out.open("endpoints");
  for (const Endpoint& endpoint : endpoints) {
    out.item();
    write_place(out, endpoint);
    out.text("name", endpoint.name);
    out.number("weight", std::uint64_t{endpoint.weight});
    out.number("priority", std::uint64_t{endpoint.priority});
    out.text_if_any("zone", endpoint.zone);
    if (!endpoint.for_zones.empty()) out.list("for_zones", endpoint.for_zones);
    if (!endpoint.for_nodes.empty()) out.list("for_nodes", endpoint.for_nodes);
    out.flag("serving", endpoint.serving);
    out.flag("terminating", endpoint.terminating);
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

void write_health(Emitter& out, std::string_view field, const Health& health) {
  out.open(field);
  write_kind(out, health);
  if (health.kind == ProbeKind::track) return out.close();
  out.text_if_any("host", health.host);
  out.number("port", health.port);
  if (health.kind == ProbeKind::http || health.kind == ProbeKind::https) write_http_fields(out, health);
  out.duration("interval", health.interval);
  out.duration("fast_interval", health.fast_interval);
  out.duration("timeout", health.timeout);
  out.number("rise", health.rise);
  out.number("fall", health.fall);
  out.number("fall_draining", health.fall_draining);
  out.choice("send_proxy", health.send_proxy);
  out.close();
}

}  // namespace telltale::conf
