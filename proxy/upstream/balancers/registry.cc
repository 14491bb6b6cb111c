#include "proxy/upstream/balancer.h"
#include "proxy/upstream/balancers/round_robin.h"

#include <array>
#include <stdexcept>

namespace telltale::proxy {
namespace {

template <class Kind>
std::unique_ptr<Balancer> make(const Service& service, std::uint32_t seed) {
  return std::make_unique<Kind>(service, seed);
}

struct Row {
  conf::Balance balance;
  std::unique_ptr<Balancer> (*make)(const Service&, std::uint32_t seed);
};

/// Every balancer there is.
constexpr std::array registry = {
    Row{conf::Balance::round_robin, &make<RoundRobin>},
};

}  // namespace

std::unique_ptr<Balancer> make_balancer(const Service& service, std::uint32_t seed) {
  for (const Row& row : registry) {
    if (row.balance == service.conf().balance) return row.make(service, seed);
  }
  throw std::logic_error("no such balancer");
}

}  // namespace telltale::proxy
