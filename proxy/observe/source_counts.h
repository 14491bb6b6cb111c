#pragma once

#include "protocol/net/ip_address.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace telltale::proxy {

/// One worker's count of where a listener's connections come from, since it was last taken: only those whose address
/// nobody vouches for (neither a PROXY header that was believed nor a peer that is trusted). O(1) a connection. One
/// thread.
class SourceCounts {
 public:
  struct Heavy {
    net::IpAddress address;
    std::uint64_t connections = 0;  ///< at least so many; 0: a free place
  };
  static constexpr std::size_t places = 8;

  /// `is_infrastructure`: a node of the listener's services, or a gateway of this machine. `claims_client`: its first
  /// request had the configured identity header, which is not believed.
  void count(const net::IpAddress& peer, bool is_infrastructure, bool claims_client);

  /// Another worker's, or a later time's: the lower bounds add up.
  void merge(const SourceCounts& other);
  void clear() { *this = {}; }

  std::uint64_t connections() const { return connections_; }
  std::uint64_t infrastructure() const { return infrastructure_; }
  std::uint64_t claiming() const { return claiming_; }
  std::span<const Heavy> heavy() const { return heavy_; }

 private:
  void add_heavy(const net::IpAddress& address, std::uint64_t connections);

  std::uint64_t connections_ = 0;
  std::uint64_t infrastructure_ = 0;
  std::uint64_t claiming_ = 0;
  std::array<Heavy, places> heavy_{};
};

}  // namespace telltale::proxy
