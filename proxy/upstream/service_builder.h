#pragma once

#include "conf/model.h"
#include "proxy/upstream/service.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace telltale::proxy {

/// One thing to probe, whoever asked for it. The services that it affects must outlive the checker that probes it.
struct ProbeTarget {
  conf::Health health;  ///< `host` is filled in, `port` is in `address`
  conf::Address address;
  std::shared_ptr<HealthVerdict> verdict;  ///< shared with the nodes and endpoints that it is about
  std::string name;                        ///< for logs: `service/node` or `service/endpoint` that named it first
  std::vector<Service*> affected;          ///< each once
};

struct ServiceSet {
  std::vector<std::shared_ptr<Service>> services;  ///< in the order of the configuration
  std::vector<ProbeTarget> probe_targets;          ///< each once: one probe target, one verdict (health.md)
  std::size_t endpoint_count = 0;                  ///< Endpoint::index is below it
};

/// Makes what routes name out of the configuration. What is probed:
/// - a node without endpoints, and a node with endpoints when the service's `health` or the node names a health port:
/// the
///   node, at its health port, else `health.port`, else the port that serves;
/// - every other endpoint: itself, at `health.port`, else where it serves (a Unix socket always where it serves).
class ServiceBuilder {
 public:
  /// The configuration was validated; a node that has neither an address nor a port throws std::invalid_argument.
  static ServiceSet build(std::span<const conf::Service> services);

 private:
  void add(const conf::Service& conf);
  void add_node(Service& service, const conf::Node& conf);
  void add_endpoint(Service& service, const conf::Endpoint& conf, const Node* node, std::uint32_t node_weight);
  std::shared_ptr<HealthVerdict> verdict_of(Service& service, conf::Address address, const std::string& name);

  ServiceSet set_;
  std::unordered_map<std::string, std::size_t> target_places_;  // by probe_key()
};

}  // namespace telltale::proxy
