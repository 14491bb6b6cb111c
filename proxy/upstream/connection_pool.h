#pragma once

#include "conf/model.h"
#include "proxy/net/stream.h"
#include "proxy/observe/metrics.h"
#include "proxy/upstream/connection_line.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace telltale::proxy {

class ConnectionPool;

/// A connection to one endpoint. A PROXY header it opened with, and a client's address it comes from, are its identity:
/// it never serves another client (envoy#13659, caddy#6342).
/// What it speaks, TLS and by which settings, is the same for all of a service; when files that these name change, the
/// connections that were made by the former ones leave the pool (Exchange::is_verified_as_now()).
struct UpstreamConnection {
  Stream stream;
  /// The source address if that is the client's, and the PROXY header without its unique id and checksum; empty: the
  /// connection is anybody's.
  std::string identity;
  std::uint32_t endpoint = 0;  ///< Endpoint::index
  bool reused = false;         ///< came out of the pool: may turn out stale
  ConnectionSlot slot;         ///< its place among the service's connections

 private:
  friend class ConnectionPool;
  friend class ConnectionLine;
  ConnectionPool* pool_ = nullptr;
  UpstreamConnection* newer_ = nullptr;
  UpstreamConnection* older_ = nullptr;
  UpstreamConnection* idle_newer_ = nullptr;  // among all of the line
  UpstreamConnection* idle_older_ = nullptr;
};

/// Idle connections to one endpoint, of one worker. Last in, first out; beyond the limit, or when its identity's turn
/// in the LRU comes, the oldest is closed. An idle connection that gets an octet, an EOF or too old is closed at once,
/// so no leftover octet reaches another exchange; what TLS sends on its own account, as session tickets, is taken in.
/// Not thread safe.
class ConnectionPool {
 public:
  ConnectionPool(const conf::Pool& limits, ServiceMetrics& metrics) : limits_(limits), metrics_(metrics) {}
  ~ConnectionPool();
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  /// nullptr: none is idle for this identity.
  std::unique_ptr<UpstreamConnection> acquire(std::string_view identity);
  /// Takes a connection whose last response is complete. Closes it instead if anything is left to read.
  void release(std::unique_ptr<UpstreamConnection> connection);
  std::size_t idle() const { return plain_.size + identified_.size; }
  void close_all();
  /// An idle one, out of the pool that it is in.
  static std::unique_ptr<UpstreamConnection> take_out(UpstreamConnection& connection) {
    return connection.pool_->take(&connection);
  }

 private:
  struct List {
    UpstreamConnection* newest = nullptr;
    UpstreamConnection* oldest = nullptr;
    std::size_t size = 0;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  List& list_of(const UpstreamConnection& connection) { return connection.identity.empty() ? plain_ : identified_; }
  void push(UpstreamConnection* connection);
  std::unique_ptr<UpstreamConnection> take(UpstreamConnection* connection);
  static void watch(UpstreamConnection* connection);

  conf::Pool limits_;
  ServiceMetrics& metrics_;
  List plain_;
  List identified_;
  std::unordered_map<std::string, std::vector<UpstreamConnection*>, Hash, std::equal_to<>> by_identity_;
};

}  // namespace telltale::proxy
