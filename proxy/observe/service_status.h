#pragma once

#include "proxy/discovery/status.h"
#include "proxy/upstream/selection.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace telltale::proxy {

/// What is told of a service besides its nodes and endpoints.
struct ServiceStatus {
  struct Selection {
    SelectionReason reason = SelectionReason::no_endpoint;
    std::size_t eligible = 0;  ///< endpoints that may be chosen
  };
  std::array<Selection, traffic_kinds> selections;  ///< by TrafficKind
  std::uint64_t ejections = 0;                      ///< so far
  std::optional<DiscoveryStatus> discovery;         ///< nullopt: all of it is in the configuration
};

}  // namespace telltale::proxy
