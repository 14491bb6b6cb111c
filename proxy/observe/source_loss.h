#pragma once

#include "proxy/observe/source_counts.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace telltale::proxy {

/// Why a listener seems not to see its clients' own addresses.
enum class SourceLoss : std::uint8_t {
  none,
  infrastructure,  ///< nearly all come from nodes or gateways: SNAT, as under externalTrafficPolicy: Cluster
  few_addresses,   ///< very many come from very few addresses: a proxy or a NAT in front
};

std::string_view to_string(SourceLoss loss);

/// Watches one listener for a lost source address (identity.md, "Explaining"). Of the connections whose address nobody
/// vouches for, in a window of ten minutes:
/// - `infrastructure`: at least 100, and 90 % of them, from the services' nodes and this machine's gateways;
/// - `few_addresses`: at least 2,000, and 95 % of them, from at most three addresses.
/// It is over when as many show the contrary. One thread; the time is the caller's.
class SourceLossDetector {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::minutes window{10};
  static constexpr std::chrono::hours warning_interval{1};
  static constexpr std::uint64_t min_infrastructure = 100, min_few = 2000;
  static constexpr unsigned infrastructure_percent = 90, few_percent = 95;
  static constexpr std::size_t few = 3;

  /// Takes what all workers counted since the last call. Returns the line to be logged, as a warning; empty: none.
  std::string add(std::string_view listener, const SourceCounts& counts, Clock::time_point now);
  SourceLoss suspected() const { return suspected_; }

 private:
  SourceLoss judge() const;
  bool is_conclusive(SourceLoss loss) const;
  std::string warning(std::string_view listener) const;

  SourceCounts counts_;
  Clock::time_point window_began_ = Clock::time_point::min();
  Clock::time_point warned_ = Clock::time_point::min();
  SourceLoss suspected_ = SourceLoss::none;
};

}  // namespace telltale::proxy
