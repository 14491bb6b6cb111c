#pragma once

#include "conf/model_service.h"
#include "proxy/upstream/endpoint.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace telltale::proxy {

/// One thing to probe, whoever asked for it.
struct ProbeTarget {
  std::shared_ptr<const conf::Health> health;  ///< the service's, shared by its targets; `port` is in `address`
  std::string host;                            ///< `health->host`, or what it is by default
  conf::Address address;
  std::shared_ptr<HealthVerdict> verdict;  ///< shared with the nodes and endpoints that it is about; what makes the
                                           ///< target the same one in a later list
  std::string name;                        ///< for logs: `service/node` or `service/endpoint` that named it first
  std::vector<std::size_t> affected;       ///< Service::index() of those that it is about, each once
  std::string host_name;                   ///< that the address was found by; empty: it was given itself
};

}  // namespace telltale::proxy
