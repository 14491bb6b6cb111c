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

/// null for what was so from the beginning.
json::value time(std::chrono::system_clock::time_point when) {
  return when.time_since_epoch().count() != 0 ? json::value(format_timestamp(when)) : json::value(nullptr);
}

/// null where there is no probe.
json::value health(const std::shared_ptr<HealthVerdict>& verdict) {
  if (!verdict) return nullptr;
  json::object out{{"state", text(to_string(verdict->state()))}, {"reason", text(verdict->reason())}};
  out["since"] = time(verdict->since());
  if (verdict->weight() >= 0) out["weight"] = verdict->weight();
  return out;
}

/// null where it is not out.
json::value ejection(const PassiveHealth& passive) {
  if (!passive.ejected) return nullptr;
  return json::object{{"reason", text(passive.reason)},
                      {"since", time(passive.since)},
                      {"until", time(passive.until)},
                      {"times", passive.times}};
}

json::object render(const ServiceStatus::Selection& selection) {
  return {{"reason", text(to_string(selection.reason))}, {"eligible", selection.eligible}};
}

json::object render(const NameStatus& name) {
  json::array addresses;
  for (const auto& each : name.addresses) addresses.push_back(text(each));
  return {{"name", text(name.name.name)},
          {"kind", name.name.kind == conf::DnsName::Kind::srv ? "srv" : "address"},
          {"state", text(to_string(name.state))},
          {"since", time(name.since)},
          {"addresses", std::move(addresses)},
          {"answered", name.answered ? time(*name.answered) : nullptr},
          {"ttl_seconds", name.answered ? json::value(std::chrono::duration<double>(name.ttl).count()) : nullptr},
          {"next", name.next ? time(*name.next) : nullptr},
          {"error", name.error.empty() ? json::value(nullptr) : text(name.error)}};
}

/// null where all of it is in the configuration.
json::value render(const std::optional<DiscoveryStatus>& discovery) {
  if (!discovery) return nullptr;
  json::array names;
  for (const auto& name : discovery->names) names.push_back(render(name));
  json::object out{{"names", std::move(names)}, {"file", nullptr}};
  if (const auto& file = discovery->file) {
    out["file"] = json::object{{"path", text(file->path)},
                               {"loaded", time(file->loaded)},
                               {"nodes", file->nodes},
                               {"endpoints", file->endpoints},
                               {"problems", file->problems.empty() ? json::value(nullptr) : text(file->problems)}};
  }
  return out;
}

json::object render(const Node& node) {
  return {{"name", text(node.display_name)},
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
                   {"since", time(endpoint.since())},
                   {"serving", endpoint.serving},
                   {"terminating", endpoint.terminating},
                   {"ejected", ejection(*endpoint.passive)},
                   {"health", health(endpoint.verdict)}};
  if (endpoint.node != nullptr) out["node"] = text(endpoint.node->display_name);
  return out;
}

json::object render(const Service& service, const ServiceStatus* status) {
  json::array nodes;
  for (const auto& node : service.set().nodes) nodes.push_back(render(*node));
  json::array endpoints;
  for (const auto& endpoint : service.set().endpoints) endpoints.push_back(render(*endpoint));
  json::object out{{"name", text(service.name())},
                   {"external_traffic_policy", policy_name(service.conf().external_traffic_policy)},
                   {"internal_traffic_policy", policy_name(service.conf().internal_traffic_policy)}};
  if (status != nullptr) {
    out["selection"] =
        json::object{{"external", render(status->selections[0])}, {"internal", render(status->selections[1])}};
    out["ejections"] = status->ejections;
    out["discovery"] = render(status->discovery);
  }
  out["nodes"] = std::move(nodes);
  out["endpoints"] = std::move(endpoints);
  return out;
}

}  // namespace

std::string render_services(std::span<const std::shared_ptr<Service>> services,
                            std::span<const ServiceStatus> statuses) {
  json::array out;
  for (const auto& service : services) {
    const bool known = service->index() < statuses.size();
    out.push_back(render(*service, known ? &statuses[service->index()] : nullptr));
  }
  return json::serialize(out) + '\n';
}

}  // namespace telltale::proxy
