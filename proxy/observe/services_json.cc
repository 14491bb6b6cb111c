#include "proxy/observe/escape.h"
#include "proxy/observe/metrics_text.h"
#include "proxy/observe/timestamp.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace telltale::proxy {
namespace {

namespace json = boost::json;

json::string text(std::string_view value) { return json::string(to_valid_utf8(value)); }

std::string_view policy_name(conf::TrafficPolicy policy) {
  return policy == conf::TrafficPolicy::local ? "local" : "cluster";
}

/// null where there is no probe.
json::value health(const std::shared_ptr<HealthVerdict>& verdict) {
  if (!verdict) return nullptr;
  json::object out{{"state", text(to_string(verdict->state()))}, {"reason", text(verdict->reason())}};
  const bool probed = verdict->since().time_since_epoch().count() != 0;
  out["since"] = probed ? json::value(format_timestamp(verdict->since())) : json::value(nullptr);
  if (verdict->weight() >= 0) out["weight"] = verdict->weight();
  return out;
}

json::object render(const Node& node) {
  return {{"name", text(node.name)},
          {"address", text(node.host)},
          {"zone", text(node.zone)},
          {"health", health(node.verdict)}};
}

json::object render(const Endpoint& endpoint) {
  json::object out{{"name", text(endpoint.name)},
                   {"address", text(endpoint.address_text)},
                   {"node", nullptr},
                   {"zone", text(endpoint.zone)},
                   {"weight", endpoint.weight},
                   {"priority", endpoint.priority},
                   {"state", text(to_string(endpoint.state()))},
                   {"reason", text(endpoint.reason())},
                   {"health", health(endpoint.verdict)}};
  if (endpoint.node != nullptr) out["node"] = text(endpoint.node->name);
  return out;
}

json::object render(const Service& service) {
  json::array nodes;
  for (const auto& node : service.set().nodes) nodes.push_back(render(*node));
  json::array endpoints;
  for (const auto& endpoint : service.set().endpoints) endpoints.push_back(render(*endpoint));
  return {{"name", text(service.name())},
          {"external_traffic_policy", policy_name(service.conf().external_traffic_policy)},
          {"internal_traffic_policy", policy_name(service.conf().internal_traffic_policy)},
          {"nodes", std::move(nodes)},
          {"endpoints", std::move(endpoints)}};
}

}  // namespace

std::string render_services(std::span<const std::shared_ptr<Service>> services) {
  json::array out;
  for (const auto& service : services) out.push_back(render(*service));
  return json::serialize(out) + '\n';
}

}  // namespace telltale::proxy
