#pragma once

#include "protocol/assertion/key_set.h"
#include "protocol/forwarding/obfuscation.h"
#include "proxy/exchange/request_recorder.h"
#include "proxy/exchange/snapshot.h"
#include "proxy/net/event_loop.h"
#include "proxy/observe/access_log.h"
#include "proxy/observe/log_rate.h"
#include "proxy/observe/metrics.h"
#include "proxy/observe/source_counts.h"
#include "proxy/tls/handshake_budget.h"
#include "proxy/upstream/local_service.h"

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace telltale::proxy {

class ClientContext;
class ServerContexts;

/// What one worker owns and its exchanges use. Everything here belongs to the worker's thread; nothing is locked.
struct WorkerContext {
  EventLoop loop;
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<std::unique_ptr<LocalService>> services;        ///< by Service::index()
  std::vector<std::unique_ptr<assertion::Keyring>> keyrings;  ///< by index of Model::assertion_key_files
  std::vector<std::shared_ptr<ServerContexts>> tls;           ///< by listener; null: it terminates none
  std::vector<std::shared_ptr<ClientContext>> backend_tls;    ///< by service; null: it speaks none
  HandshakeBudget handshakes{loop};
  std::unique_ptr<WorkerMetrics> metrics;
  std::unique_ptr<AccessLog> access_log;  ///< null: off
  std::vector<SourceCounts> sources;      ///< by listener
  /// By listener and cause.
  std::vector<std::array<LogRate, static_cast<std::size_t>(ProxyFailure::count_)>> proxy_failure_rates;
  /// By listener and verdict.
  std::vector<std::array<LogRate, assertion::verdict_count>> dropped_assertion_rates;
  std::unique_ptr<RequestRecorder> recorder;  ///< null: off
  bool draining = false;                      ///< no keep-alive, no new connections

  /// 128 bits, unique with overwhelming probability: a random stem for each worker and a counter that is mixed in.
  struct RequestId {
    std::uint64_t high, low;
  };
  RequestId next_request_id();
  std::uint64_t id_stem[2] = {};
  std::uint64_t id_counter = 0;

  /// The process's: all workers have the same.
  forwarding::ObfuscationKey obfuscation_key;
  std::uint64_t next_connection_number = 1;  ///< each worker begins at a random one of its own
};

}  // namespace telltale::proxy
