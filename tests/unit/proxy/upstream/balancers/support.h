#pragma once

#include "proxy/upstream/balancer.h"
#include "proxy/upstream/balancers/hash.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace telltale::proxy::test {

/// Endpoint 0, 1, 2 … at addresses as they would be, with these weights.
inline std::vector<Candidate> candidates(std::span<const double> weights) {
  std::vector<Candidate> all;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::string address =
        "10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255) + ":8080";
    all.push_back({static_cast<std::uint32_t>(i), weights[i], balance_hash(address)});
  }
  return all;
}
inline std::vector<Candidate> candidates(std::initializer_list<double> weights) {
  return candidates(std::span(weights.begin(), weights.size()));
}
inline std::vector<Candidate> equal_candidates(std::size_t count) { return candidates(std::vector<double>(count, 1)); }
/// Weights of 1 to 100, neighbours unlike.
inline std::vector<Candidate> weighted_candidates(std::size_t count) {
  std::vector<double> weights;
  for (std::size_t i = 0; i < count; ++i) weights.push_back(1 + static_cast<double>(i * 7919 % 100));
  return candidates(weights);
}

inline double sum_of(std::span<const Candidate> all) {
  double sum = 0;
  for (const Candidate& candidate : all) sum += candidate.weight;
  return sum;
}

/// The same in another order; by a fixed seed.
inline std::vector<Candidate> shuffled(std::vector<Candidate> all) {
  RandomSource random(42);
  for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random.below(static_cast<std::uint32_t>(i))]);
  return all;
}

inline std::unique_ptr<Balancer> make_balancer(conf::BalancePolicy policy, std::span<const Candidate> all,
                                               std::uint64_t seed = 1, std::uint32_t table_size = 65537) {
  conf::Balance balance;
  balance.policy = policy;
  balance.table_size = table_size;
  return std::move(make_balancers(balance, all, {&seed, 1}).front());
}

/// What a client's address hashes to.
inline std::uint64_t client_hash(std::uint32_t client) {
  return balance_hash({reinterpret_cast<const char*>(&client), sizeof client});
}

/// How far sum((counts - expected)^2 / expected) lies above what chance gives, in standard deviations (Wilson and
/// Hilferty's approximation of the chi-square distribution). Above 4 once in 30,000 times.
inline double chi_square_deviations(std::span<const double> counts, std::span<const double> expected,
                                    double dispersion = 1) {
  double sum = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    sum += (counts[i] - expected[i]) * (counts[i] - expected[i]) / expected[i];
  }
  const double freedom = static_cast<double>(counts.size() - 1);
  const double spread = 2 / (9 * freedom);
  return (std::cbrt(sum / dispersion / freedom) - (1 - spread)) / std::sqrt(spread);
}

}  // namespace telltale::proxy::test
