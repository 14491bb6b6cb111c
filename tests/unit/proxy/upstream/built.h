#pragma once

#include "proxy/upstream/endpoint_sets.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace telltale::proxy::test {

/// Services with their first members.
struct Built {
  explicit Built(const std::vector<conf::Service>& confs) {
    for (const auto& conf : confs) services.push_back(std::make_shared<Service>(conf, services.size()));
    sets = std::make_unique<EndpointSets>(services);
    for (const auto& service : services) {
      sets->use(service->index(), {service->conf().nodes, service->conf().endpoints}, {});
    }
  }
  const EndpointSet& set(std::size_t i = 0) const { return services[i]->set(); }
  std::vector<std::shared_ptr<Service>> services;
  std::unique_ptr<EndpointSets> sets;
};

}  // namespace telltale::proxy::test
