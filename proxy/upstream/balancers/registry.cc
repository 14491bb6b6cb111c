#include "proxy/upstream/balancers/least_request.h"
#include "proxy/upstream/balancers/maglev.h"
#include "proxy/upstream/balancers/random.h"
#include "proxy/upstream/balancers/ring_hash.h"
#include "proxy/upstream/balancers/round_robin.h"

#include <array>
#include <stdexcept>

namespace telltale::proxy {
namespace {

using Balancers = std::vector<std::unique_ptr<Balancer>>;

template <class Kind, class Shared>
Balancers make(const conf::Balance& balance, std::span<const Candidate> candidates,
               std::span<const std::uint64_t> seeds) {
  const auto shared = std::make_shared<const Shared>(balance, candidates);
  Balancers balancers;
  for (const std::uint64_t seed : seeds) balancers.push_back(std::make_unique<Kind>(shared, seed));
  return balancers;
}

struct Row {
  conf::BalancePolicy policy;
  Balancers (*make)(const conf::Balance&, std::span<const Candidate>, std::span<const std::uint64_t> seeds);
};

/// Every balancer there is.
constexpr std::array registry = {
    Row{conf::BalancePolicy::round_robin, &make<RoundRobin, RoundRobin::Plan>},
    Row{conf::BalancePolicy::least_request, &make<LeastRequest, LeastRequest::Table>},
    Row{conf::BalancePolicy::random, &make<Random, Random::Table>},
    Row{conf::BalancePolicy::maglev, &make<Maglev, Maglev::Table>},
    Row{conf::BalancePolicy::ring_hash, &make<RingHash, RingHash::Ring>},
};

}  // namespace

std::vector<std::unique_ptr<Balancer>> make_balancers(const conf::Balance& balance,
                                                      std::span<const Candidate> candidates,
                                                      std::span<const std::uint64_t> seeds) {
  for (const Row& row : registry) {
    if (row.policy == balance.policy) return row.make(balance, candidates, seeds);
  }
  throw std::logic_error("no such balancer");
}

}  // namespace telltale::proxy
