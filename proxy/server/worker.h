#pragma once

#include "proxy/downstream/connection.h"
#include "proxy/downstream/http1_session.h"
#include "proxy/downstream/listener.h"
#include "proxy/exchange/worker_context.h"
#include "proxy/server/backend_tls_files.h"
#include "proxy/server/key_files.h"
#include "proxy/server/tls_files.h"

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace telltale::proxy {

/// From the system's random source.
std::uint64_t random_64();

/// What the workers of one process have in common: relaxed atomics, touched once a connection, not once a request.
struct SharedCounts {
  std::atomic<std::size_t> connections{0};
  std::atomic<std::size_t> workers_running{0};
  std::deque<std::atomic<std::size_t>> listener_connections;  ///< by listener
  forwarding::ObfuscationKey obfuscation_key{random_64(), random_64()};
};

/// One thread with one event loop, its own listening sockets, pools, balancers and counters. Made and destroyed by the
/// control thread; between start() and join() everything inside belongs to the worker's own thread.
class Worker {
 public:
  /// `sockets`: one for each listener of the snapshot; `services`: what each of its services begins with; `keys`: of
  /// each of the model's key files; `tls`: of each listener; `backend_tls`: of each service. Throws std::system_error.
  Worker(const std::shared_ptr<const Snapshot>& snapshot, std::vector<ListenSocket> sockets, SharedCounts& counts,
         std::unique_ptr<AccessLog> access_log, std::vector<ServiceUpdate> services, const KeyFiles::KeySets& keys = {},
         TlsFiles::Contexts tls = {}, BackendTlsFiles::Contexts backend_tls = {});
  ~Worker();

  void start();
  void join();

  // From the control thread.
  /// No keep-alive from now on; still accepting.
  void begin_drain();
  /// Accepts no more and closes idle connections; `on_empty` is called, on the worker's thread, when none is left.
  void finish_drain(std::function<void()> on_empty);
  /// Ends at once: what is in flight is cut.
  void stop() { context_.loop.stop(); }
  void reopen_access_log();
  /// `task` is called on the worker's thread, between two passes of its loop; never once it has ended.
  void post(std::function<void(WorkerContext&)> task);
  /// From the next pass on, new connections get this snapshot; those that are open keep theirs. Its listeners and
  /// services are as many as before.
  void use(std::shared_ptr<const Snapshot> snapshot);
  /// Who serves, or who of them may be chosen, changed for one service.
  void update(std::size_t service, ServiceUpdate update);

  WorkerMetrics& metrics() { return *context_.metrics; }

 private:
  void run();

  SharedCounts& counts_;
  WorkerContext context_;
  ConnectionTable table_;
  Http1TransactionPool transactions_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::thread thread_;
};

}  // namespace telltale::proxy
