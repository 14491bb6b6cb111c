#include "proxy/observe/source_counts.h"

#include <algorithm>

namespace telltale::proxy {

void SourceCounts::count(const net::IpAddress& peer, bool is_infrastructure, bool claims_client) {
  ++connections_;
  infrastructure_ += is_infrastructure;
  claiming_ += claims_client;
  add_heavy(peer, 1);
}

/// Misra and Gries: an address with more than one connection in nine keeps a place, and its count is never too high.
void SourceCounts::add_heavy(const net::IpAddress& address, std::uint64_t connections) {
  Heavy* least = heavy_.data();
  for (Heavy& each : heavy_) {
    if (each.connections > 0 && each.address == address) {
      each.connections += connections;
      return;
    }
    if (each.connections < least->connections) least = &each;
  }
  const std::uint64_t cancelled = std::min(least->connections, connections);
  if (cancelled > 0) {
    for (Heavy& each : heavy_) each.connections -= cancelled;
  }
  if (connections > cancelled) *least = {address, connections - cancelled};
}

void SourceCounts::merge(const SourceCounts& other) {
  connections_ += other.connections_;
  infrastructure_ += other.infrastructure_;
  claiming_ += other.claiming_;
  for (const Heavy& each : other.heavy_) {
    if (each.connections > 0) add_heavy(each.address, each.connections);
  }
}

}  // namespace telltale::proxy
