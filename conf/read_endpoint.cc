#include "conf/read.h"

namespace telltale::conf {
namespace {

/// An endpoint must say which host: `:8080` is for listening.
void check_address(Context& context, const YamlNode& place, const Path& path, const Address& address) {
  if (!address.ip) return;
  if (address.ip->address.is_unspecified()) {
    context.diagnostics.error(place, path, quote(address.to_string()) + " says no host",
                              "write 127.0.0.1:" + std::to_string(address.ip->port) + " for this machine");
  } else if (address.ip->port == 0) {
    context.diagnostics.error(place, path, quote(address.to_string()) + " has port 0: nothing can be reached there");
  }
}

void use(Context& context, const YamlNode& place, const Path& path, Backend backend, Endpoint& endpoint) {
  check_address(context, place, path, backend.address);
  endpoint.name = backend.to_string();
  endpoint.address = std::move(backend.address);
  endpoint.dns = std::move(backend.dns);
}

void read_srv(ObjectReader& reader, Endpoint& endpoint) {
  std::string name;
  if (!reader.read("srv", name)) return;
  if (!is_dns_name(name)) {
    return reader.error("srv", quote(name) + " is not a name with SRV records",
                        "like _http._tcp.shop.internal; the ports are in the records");
  }
  endpoint.dns = DnsName{DnsName::Kind::srv, to_lower(name), 0};
  endpoint.name = endpoint.dns->name;
}

void read_endpoint(Context& context, const YamlNode& node, const Path& path, Endpoint& endpoint) {
  Backend backend;
  if (node.kind == YamlNode::Kind::scalar) {
    const Field& row = *find_field(schema::endpoint, "address");
    if (read_value(context, node, path, row, backend)) use(context, node, path, std::move(backend), endpoint);
    return;
  }
  ObjectReader reader(context, node, path, schema::endpoint);
  if (reader.read("address", backend)) {
    use(context, reader.place("address"), Path(path, "address"), std::move(backend), endpoint);
  }
  read_srv(reader, endpoint);
  reader.read("name", endpoint.name);
  reader.read("weight", endpoint.weight);
  reader.read("priority", endpoint.priority);
  reader.read("zone", endpoint.zone);
  reader.read("for_zones", endpoint.for_zones);
  reader.read("for_nodes", endpoint.for_nodes);
  reader.read("serving", endpoint.serving);
  reader.read("terminating", endpoint.terminating);
}

void read_node(Context& context, const YamlNode& item, const Path& path, Node& node) {
  ObjectReader reader(context, item, path, schema::node);
  const bool has_host = reader.read("address", node.host);
  const auto ip = net::IpAddress::parse(node.host);
  if (ip && ip->is_unspecified()) {
    reader.error("address", quote(node.host) + " says no host", "write 127.0.0.1 for this machine");
  }
  node.name = node.host;
  reader.read("name", node.name);
  reader.read("port", node.port);
  reader.read("zone", node.zone);
  reader.read("weight", node.weight);
  reader.read("health_port", node.health_port);
  read_endpoints(reader, node.endpoints);
  const YamlNode* list = reader.value("endpoints");
  if (list != nullptr && list->kind == YamlNode::Kind::sequence && list->items.empty()) {
    reader.error("endpoints", "is empty, which may mean that the NodePort serves or that nobody does",
                 "leave out `endpoints` if the NodePort serves, or the node if nobody does");
  }
  if (has_host && !ip && !node.endpoints.empty()) {
    reader.error("endpoints",
                 "the node is given by name: if that has several addresses, nobody can say whose these are",
                 "give the node's IP address, or list the endpoints beside `nodes`");
  }
}

}  // namespace

void read_endpoints(ObjectReader& reader, std::vector<Endpoint>& endpoints) {
  reader.each("endpoints", [&](const YamlNode& item, const Path& path, std::size_t) {
    read_endpoint(reader.context(), item, path, endpoints.emplace_back());
  });
}

void read_nodes(ObjectReader& reader, std::vector<Node>& nodes) {
  reader.each("nodes", [&](const YamlNode& item, const Path& path, std::size_t) {
    read_node(reader.context(), item, path, nodes.emplace_back());
  });
}

}  // namespace telltale::conf
