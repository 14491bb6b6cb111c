#pragma once

#include "conf/object_reader.h"

#include <string>
#include <vector>

/// From the tree to the model: first each object by itself (read_*), then what they say of each other (check_model).
namespace telltale::conf {

/// Where the parts of the model stand in the file.
struct RouteSource {
  const YamlNode* node = nullptr;     ///< the route; the listener for `service: NAME` there
  const YamlNode* service = nullptr;  ///< the service's name
  const YamlNode* timeouts = nullptr;
  const YamlNode* retries = nullptr;
  std::string service_name;
  bool at_listener = false;
  bool right = false;  ///< nothing in it was found wrong
};
struct ListenerSource {
  const YamlNode* node = nullptr;
  const YamlNode* name = nullptr;
  const YamlNode* listen = nullptr;  ///< null: none that is right
  std::vector<RouteSource> routes;   ///< as Listener::routes
  Ranges trusted;
  std::vector<const YamlNode*> proxy_rules;  ///< as ClientIp::proxy_protocol, those that the file has
};
struct ServiceSource {
  const YamlNode* node = nullptr;
  const YamlNode* name = nullptr;
  const YamlNode* health_check_node_port = nullptr;  ///< null: none that is right
};

struct Draft {
  Model model;
  std::vector<ListenerSource> listeners;   ///< as Model::listeners
  std::vector<ServiceSource> services;     ///< as Model::services
  const YamlNode* admin_listen = nullptr;  ///< null: none that is right
  bool admin_given = false;
};

void read_root(Context& context, const YamlNode& root, Draft& draft);

void read_listener(Context& context, const YamlNode& node, const Path& path, Listener& listener,
                   ListenerSource& source);
void read_client_ip(Context& context, const YamlNode& node, const Path& path, ClientIp& client_ip,
                    ListenerSource& source);
void read_listener_tls(ObjectReader& listener, Protocol protocol, std::optional<ListenerTls>& tls);
void read_service_tls(ObjectReader& service, std::optional<BackendTls>& tls);
/// `sni`, `verify` and `ca`, of a service or a probe.
void read_verification(ObjectReader& reader, BackendTls& tls);
/// A preset and where its party is.
struct Behind {
  const Preset* preset = nullptr;  ///< null: no `behind`
  Ranges from;                     ///< empty when the fields that would need it are written out
  bool right = true;               ///< false: `from` is wrong or missing, which was reported
};
Behind read_behind(ObjectReader& client_ip);
/// Adds the preset's rule unless the file has rules. False: none was added.
bool fill_proxy_protocol(ObjectReader& reader, const Behind& behind, ClientIp& client_ip);
void read_route(Context& context, const YamlNode& node, const Path& path, Protocol protocol, Route& route,
                RouteSource& source);
void read_match(ObjectReader& route, Protocol protocol, Match& match);
/// What it asks of connections, for names and messages: ` aws_vpce_id=vpce-123`, ` client_cert.subject=CN=a`.
std::string describe(const std::vector<Condition>& conditions);

void read_service(Context& context, const YamlNode& node, const Path& path, Service& service, ServiceSource& source);
void read_nodes(ObjectReader& reader, std::vector<Node>& nodes);
void read_endpoints(ObjectReader& reader, std::vector<Endpoint>& endpoints);
void read_balance(ObjectReader& service, Balance& balance);
void read_session_affinity(ObjectReader& service, std::optional<SessionAffinity>& affinity);
/// Of a service, or of a route.
void read_service_timeouts(ObjectReader& owner, ServiceTimeouts& timeouts);
void read_retries(ObjectReader& owner, Retries& retries);
void read_circuit_breakers(ObjectReader& service, CircuitBreakers& breakers);
void read_ejection(ObjectReader& service, std::optional<Ejection>& ejection);
/// What nodes and endpoints say of each other, in a service or in its file.
void check_nodes(ObjectReader& reader, const std::vector<Node>& nodes, const Service& service);
void check_endpoints(ObjectReader& reader, const std::vector<Endpoint>& endpoints);
/// `source_address: transparent` and an endpoint that has none.
void check_sources(ObjectReader& reader, const std::vector<Node>& nodes, const std::vector<Endpoint>& endpoints,
                   const Service& service);
/// What the parts of one service say of each other.
void check_service(ObjectReader& reader, const Service& service);
/// `tls`: the service's, which is the default of a probe's; null: there is none.
void read_health(Context& context, const YamlNode& node, const Path& path, const BackendTls* tls, Health& health);
void read_assertion(ObjectReader& propagate, std::optional<forwarding::AssertionOptions>& assertion);
void read_assertion_trust(ObjectReader& client_ip, std::optional<AssertionTrust>& assertion);
/// Model::assertion_key_files, and who uses which.
void index_key_files(Model& model);
void read_propagate(Context& context, const YamlNode& node, const Path& path, forwarding::Propagate& propagate);

/// What is legal and dangerous in how listeners find out who the client is and services tell it. Needs the routes'
/// services resolved.
void check_identity(Diagnostics& diagnostics, const Draft& draft);

/// Gives the route what its `timeouts` and `retries` leave to the service.
void inherit(Route& route, const RouteSource& source, const Service& service);

/// What these four need: the routes' services resolved.
/// Traffic policies, as this process's place and its listeners give them a meaning.
void check_policies(Diagnostics& diagnostics, const Draft& draft);
/// Services that take the verdicts of others.
void check_tracking(Diagnostics& diagnostics, const Draft& draft);
/// Timeouts and retries of services and routes, and what they say of each other.
void check_resilience(Diagnostics& diagnostics, const Draft& draft);
/// What backends are offered to speak, against what comes through the listeners.
void check_backend_tls(Diagnostics& diagnostics, const Draft& draft);

/// Resolves the routes' services and reports what no object can know by itself.
void check_model(Diagnostics& diagnostics, Draft& draft);

}  // namespace telltale::conf
