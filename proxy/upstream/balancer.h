#pragma once

#include "conf/model_service.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace telltale::proxy {

/// One that may be chosen.
struct Candidate {
  std::uint32_t endpoint = 0;  ///< Endpoint::index
  double weight = 1;           ///< above 0
  std::uint64_t key = 0;       ///< hash of its address: where maglev and ring_hash put it, in every process alike
};

/// What a choice may depend on besides.
struct PickInput {
  std::uint64_t hash = 0;                ///< of what maglev and ring_hash go by
  std::span<const std::uint32_t> loads;  ///< requests in flight of this worker, by Endpoint::index
  std::span<const std::uint32_t> avoid;  ///< those that already failed this request: not chosen while there is another
};

/// Chooses an endpoint of one service. Made by the control thread for each worker, anew whenever who may be chosen
/// changes, so that a worker's choice is O(1) and it never builds a table; from then on the worker's alone. No lock, no
/// allocation in pick().
class Balancer {
 public:
  virtual ~Balancer() = default;
  /// An Endpoint::index.
  virtual std::uint32_t pick(const PickInput& input) = 0;
};

/// One balancer for each seed, by `balance`, over the same candidates, at least one. What is constant is shared among
/// them. Seeds make workers begin elsewhere: neighbours far apart. Equal candidates in another order give maglev and
/// ring_hash the same table.
std::vector<std::unique_ptr<Balancer>> make_balancers(const conf::Balance& balance,
                                                      std::span<const Candidate> candidates,
                                                      std::span<const std::uint64_t> seeds);

/// For keys and hashes: 64 bits, the same in every process and on every machine.
std::uint64_t balance_hash(std::string_view octets);

}  // namespace telltale::proxy
