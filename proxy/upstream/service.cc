#include "proxy/upstream/service.h"

namespace telltale::proxy {

Service::Service(const conf::Service& conf, std::size_t index) : conf_(conf), index_(index) {
  const auto& affinity = conf_.session_affinity;
  if (affinity) affinity_ = std::make_unique<AffinityTable>(affinity->max_clients, affinity->timeout);
}

}  // namespace telltale::proxy
