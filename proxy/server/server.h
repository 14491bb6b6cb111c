#pragma once

#include "conf/model.h"
#include "proxy/discovery/discovery.h"
#include "proxy/exchange/snapshot.h"
#include "proxy/files/file_watcher.h"
#include "proxy/health/checker.h"
#include "proxy/health/ejector.h"
#include "proxy/health/health_ports.h"
#include "proxy/observe/admin_server.h"
#include "proxy/observe/service_status.h"
#include "proxy/observe/source_loss.h"
#include "proxy/server/backend_tls_files.h"
#include "proxy/server/key_files.h"
#include "proxy/server/selection_log.h"
#include "proxy/server/signals.h"
#include "proxy/server/tls_files.h"
#include "proxy/server/worker.h"
#include "proxy/upstream/directory.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace telltale::proxy {

/// The process: listening sockets, workers, and the control thread's work: probes, health ports, admin, signals, files
/// that are followed. Lives on the thread that calls run(), which is the control thread.
class Server {
 public:
  using AccessLogFactory = std::function<std::unique_ptr<AccessLog>()>;

  /// Binds everything, so that errors come out before anything runs: throws std::system_error, and KeyFileError,
  /// CertificateError, TicketKeyError and EndpointsFileError for files that cannot be used. `make_log` makes one access
  /// log for each worker (default: as configured).
  Server(boost::asio::io_context& control, std::shared_ptr<const conf::Model> model, AccessLogFactory make_log = {});
  ~Server();

  /// Starts the workers once every name has been looked up, or 5 s have passed, and serves until a signal ends it:
  /// SIGTERM drains, SIGINT does so without the delay for load balancers, a second one of either ends at once (SIGINT
  /// after SIGTERM only cuts the delay short). SIGUSR1 reopens the logs, SIGHUP says that there is no reload yet.
  void run();

  /// The listeners' real addresses, in the order of the configuration.
  const std::vector<conf::Address>& addresses() const { return addresses_; }

 private:
  enum class Phase { starting, serving, draining, closing, stopped };

  void check_transparent_source() const;
  void build_services();
  std::shared_ptr<Snapshot> make_snapshot(std::shared_ptr<const conf::Model> model) const;
  void publish(std::shared_ptr<Snapshot> snapshot);
  void watch_ranges();
  void reload_ranges();
  void use_keys(std::size_t index, const std::shared_ptr<const assertion::KeySet>& keys);
  void use_certificates(std::size_t listener);
  void use_backend_tls(std::size_t service);
  void use_ticket_keys(std::size_t listener, const std::shared_ptr<const TicketKeys>& keys);
  void use_members(std::size_t service, Members members);
  void serve();
  void start_admin();
  void bind_listeners(std::vector<std::vector<ListenSocket>>& by_worker, std::size_t workers);
  std::vector<ReadyCheck> ready() const;
  std::vector<ServiceStatus> statuses() const;
  void service_published(std::size_t service);
  void on_signal(int signal);
  void drain();
  void close_listeners();
  void worker_is_empty();
  void stop();
  void publish_changes();
  std::string services_text();
  std::string metrics_text();
  void explain(const ExplainQuery& query, std::function<void(std::string)> done);
  void watch_sources();
  void judge_sources(const std::vector<std::vector<SourceCounts>>& by_worker);

  boost::asio::io_context& control_;
  std::shared_ptr<const conf::Model> model_;
  AccessLogFactory make_log_;
  std::shared_ptr<Snapshot> snapshot_;
  std::vector<net::IpAddress> gateways_;  ///< of this machine, when it started
  std::unique_ptr<Directory> directory_;
  std::shared_ptr<Ejector> ejector_;
  std::unique_ptr<HealthChecker> checker_;
  std::unique_ptr<Discovery> discovery_;
  std::unique_ptr<HealthPorts> health_ports_;
  ServedTraffic served_;
  std::unique_ptr<SelectionLog> selection_log_;
  std::unique_ptr<AdminServer> admin_;
  KeyFiles key_files_;
  TlsFiles tls_files_;
  BackendTlsFiles backend_tls_files_;
  std::unique_ptr<FileWatcher> ranges_watcher_;  ///< null: no `ranges`
  SharedCounts counts_;
  std::vector<conf::Address> addresses_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Signals signals_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer source_timer_;
  std::vector<SourceLossDetector> source_loss_;  ///< by listener
  Phase phase_ = Phase::starting;
  std::size_t busy_workers_ = 0;
};

}  // namespace telltale::proxy
