#pragma once

#include "proxy/upstream/balancer.h"
#include "proxy/upstream/balancers/edf_schedule.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace telltale::proxy {

/// Smooth weighted round robin. While weights are equal, a plain rotation in the order of the candidates. Otherwise
/// candidates whose weights differ by less than a factor of two form a class: within it they rotate, and a candidate
/// sits out as many rounds as it is lighter than the heaviest, at most every second one; among the classes, of which
/// there are as many as the weights have orders of magnitude (base two), the earliest deadline comes first. So each
/// gets exactly its share, evenly spread, and a pick is O(1) however many candidates and different weights there are.
/// Retries rotate by themselves: did they take turns of first tries, then of two endpoints one that fails would be
/// asked first by each request.
class RoundRobin final : public Balancer {
 public:
  /// What workers share.
  struct Plan {
    struct Turn {
      std::uint32_t endpoint;
      std::uint32_t sits_out;  ///< so many of 2^32 rounds; at most half
    };
    struct Class {
      std::uint32_t begin = 0, size = 0;  ///< in `turns`
      double weight = 0;                  ///< of all of it
    };
    Plan(const conf::Balance& balance, std::span<const Candidate> candidates);
    std::vector<Turn> turns;
    std::vector<Class> classes;
  };

  RoundRobin(std::shared_ptr<const Plan> plan, std::uint64_t seed);
  std::uint32_t pick(const PickInput& input) override;

 private:
  struct Cursor {
    std::uint32_t place = 0, round = 0;
  };
  struct Rotation {
    Rotation(const RoundRobin& of, std::uint64_t seed);
    EdfSchedule schedule;  // of classes
    std::vector<Cursor> cursors;
  };
  static Cursor cursor_at(std::uint64_t bits, std::uint32_t class_size);
  bool sits_out(const Plan::Class& of, Cursor at) const;
  bool all_avoided(std::size_t which, std::span<const std::uint32_t> avoid) const;

  std::shared_ptr<const Plan> plan_;
  Rotation first_tries_;
  Rotation retries_;
};

}  // namespace telltale::proxy
