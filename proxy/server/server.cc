#include "proxy/server/server.h"

#include "conf/apply_ranges.h"
#include "proxy/exchange/hsts.h"
#include "proxy/net/gateways.h"
#include "proxy/net/transparent_source.h"
#include "proxy/observe/log.h"
#include "proxy/server/gather.h"
#include "proxy/server/service_health.h"

#include <boost/asio/post.hpp>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <signal.h>
#include <system_error>
#include <thread>

namespace telltale::proxy {
namespace {

/// A name that nobody answers for must not keep the rest from being served.
constexpr std::chrono::seconds max_wait_for_names{5};

/// Who may connect to the listener without being a client: see source_loss.h.
std::unordered_set<net::IpAddress> infrastructure_of(const conf::Model& model, const conf::Listener& listener,
                                                     const std::vector<net::IpAddress>& gateways) {
  std::unordered_set<net::IpAddress> all(gateways.begin(), gateways.end());
  for (const auto& route : listener.routes) {
    if (!route.service) continue;
    for (const auto& node : model.services[*route.service].nodes) {
      if (const auto address = net::IpAddress::parse(node.host)) all.insert(*address);
    }
  }
  return all;
}

std::size_t worker_count(const conf::Model& model) {
  return model.workers != 0 ? model.workers : std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

Server::Server(boost::asio::io_context& control, std::shared_ptr<const conf::Model> model, AccessLogFactory make_log)
    : control_(control),
      model_(std::move(model)),
      make_log_(std::move(make_log)),
      key_files_(control, model_->assertion_key_files),
      tls_files_(control, model_),
      backend_tls_files_(control, model_),
      counts_(),
      signals_(control, {SIGTERM, SIGINT, SIGUSR1, SIGHUP}),
      timer_(control),
      source_timer_(control),
      source_loss_(model_->listeners.size()) {
  if (!make_log_) make_log_ = [conf = model_->access_log] { return make_access_log(conf); };
  check_transparent_source();
  build_services();
  std::vector<std::vector<ListenSocket>> sockets(worker_count(*model_));
  bind_listeners(sockets, sockets.size());
  const KeyFiles::KeySets keys = key_files_.take_keys();
  health_ports_ = std::make_unique<HealthPorts>(control_, snapshot_->services);
  auto services = directory_->first_updates();
  for (std::size_t service = 0; service < services.front().size(); ++service) service_published(service);
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    workers_.push_back(std::make_unique<Worker>(snapshot_, std::move(sockets[i]), counts_, make_log_(),
                                                std::move(services[i]), keys, tls_files_.make_contexts(),
                                                backend_tls_files_.make_contexts()));
  }
  start_admin();
  watch_ranges();
}

Server::~Server() {
  for (auto& worker : workers_) worker->stop();
  for (auto& worker : workers_) worker->join();  // they wake one another: none may go while another one runs
  for (const auto& listener : model_->listeners) {
    if (!listener.listen.ip) ::unlink(listener.listen.unix_path.c_str());
  }
}

/// Tried before anything is bound: the first request would be too late to learn that a capability is missing.
void Server::check_transparent_source() const {
  for (const auto& service : model_->services) {
    if (!service.propagate.transparent_source) continue;
    if (const auto refused = try_transparent_source()) {
      throw std::system_error(refused.value(), std::system_category(),
                              "service " + service.name + ": source_address: transparent is not permitted; " +
                                  std::string(transparent_source_advice));
    }
    return;
  }
}

/// The first snapshot.
void Server::build_services() {
  std::vector<std::shared_ptr<Service>> services;
  for (const auto& conf : model_->services) services.push_back(std::make_shared<Service>(conf, services.size()));
  directory_ = std::make_unique<Directory>(control_, services, Location{model_->node_name, model_->zone},
                                           worker_count(*model_), random_64());
  discovery_ = std::make_unique<Discovery>(
      control_, model_->dns, model_->services,
      [this](std::size_t service, Members members) { use_members(service, std::move(members)); });
  for (const auto& service : services) {
    const std::size_t i = service->index();
    directory_->begin_with(
        i, discovery_->follows(i) ? discovery_->initial(i) : Members{service->conf().nodes, service->conf().endpoints});
  }
  directory_->on_publish([this](std::size_t service) { service_published(service); });
  served_ = served_traffic(*model_);
  selection_log_ = std::make_unique<SelectionLog>(control_, *directory_, served_);
  ejector_ = std::make_shared<Ejector>(control_, services, directory_->location(),
                                       [this](std::size_t service) { directory_->refresh(service); });
  HealthChecker::Options options;
  options.on_success = [this](const ProbeTarget& target, std::chrono::steady_clock::time_point began) {
    ejector_->succeeded(target, began);
  };
  options.on_affected = [this](const std::vector<std::size_t>& affected) {
    for (const std::size_t service : affected) directory_->refresh(service);
  };
  checker_ = std::make_unique<HealthChecker>(control_, directory_->probe_targets(), std::move(options));
  for (std::size_t i = 0; i < model_->listeners.size(); ++i) counts_.listener_connections.emplace_back(0);
  snapshot_ = std::make_shared<Snapshot>();
  snapshot_->services = std::move(services);
  gateways_ = read_gateways();
  snapshot_ = make_snapshot(model_);
}

/// For a model whose services are those of the current one: services, and with them pools, balancers and health, are
/// shared with it.
std::shared_ptr<Snapshot> Server::make_snapshot(std::shared_ptr<const conf::Model> model) const {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->services = snapshot_->services;
  for (const auto& listener : model->listeners) {
    snapshot->infrastructure.push_back(infrastructure_of(*model, listener, gateways_));
    snapshot->routes.push_back(std::make_unique<RouteTable>(listener.routes));
    snapshot->hsts.push_back(hsts_line(listener));
  }
  snapshot->model = std::move(model);
  return snapshot;
}

/// From here on connections that are accepted get this one; those that are open keep theirs.
void Server::publish(std::shared_ptr<Snapshot> snapshot) {
  snapshot_ = std::move(snapshot);
  model_ = snapshot_->model;
  for (auto& worker : workers_) worker->use(snapshot_);
}

void Server::watch_ranges() {
  if (model_->ranges_file.empty()) return;
  ranges_watcher_ = std::make_unique<FileWatcher>(control_, model_->ranges_file, [this] { reload_ranges(); });
}

/// The last good ranges stay in force until the file is right again.
void Server::reload_ranges() {
  conf::RangesResult loaded = conf::load_ranges(model_->ranges_file);
  std::shared_ptr<const conf::Model> changed;
  if (loaded.ranges != nullptr) {
    if (*loaded.ranges == *model_->ranges) return;
    changed = conf::with_ranges(*model_, std::move(loaded.ranges), loaded.problem);
  }
  if (changed == nullptr) {
    spdlog::error("ranges {}: {}; the last good ones stay in force", model_->ranges_file, loaded.problem);
    return;
  }
  publish(make_snapshot(std::move(changed)));
  std::string lists;
  for (const auto& list : model_->ranges->lists()) {
    lists += fmt::format("{}{} ({} ranges{}{})", lists.empty() ? "" : ", ", list.name, list.ranges.size(),
                         list.date.empty() ? "" : ", of ", list.date);
  }
  after_posted(control_, workers_, [file = model_->ranges_file, lists] {
    spdlog::info("ranges {}: in force for new connections: {}", file, lists);
  });
}

void Server::use_keys(std::size_t index, const std::shared_ptr<const assertion::KeySet>& keys) {
  for (auto& worker : workers_) {
    worker->post([index, keys](WorkerContext& context) {
      context.keyrings[index] = std::make_unique<assertion::Keyring>(*keys);
    });
  }
  std::string ids;
  for (const auto& key : keys->keys()) ids += (ids.empty() ? "" : ", ") + key.id;
  after_posted(control_, workers_, [file = model_->assertion_key_files[index], ids] {
    spdlog::info("key file {}: read again, keys {}", file, ids);
  });
}

void Server::use_certificates(std::size_t listener) {
  for (auto& worker : workers_) {
    worker->post([listener, contexts = tls_files_.make_contexts(listener)](WorkerContext& context) {
      context.tls[listener] = contexts;
    });
  }
  after_posted(control_, workers_, [name = model_->listeners[listener].name] {
    spdlog::info("listener {}: certificates read again: in use for new connections", name);
  });
}

/// Connections that were made by the former ones end with what is in flight on them.
void Server::use_backend_tls(std::size_t service) {
  for (auto& worker : workers_) {
    worker->post([service, tls = backend_tls_files_.make_context(service)](WorkerContext& context) {
      context.backend_tls[service] = tls;
      context.services[service]->close_idle();
    });
  }
  after_posted(control_, workers_, [name = model_->services[service].name] {
    spdlog::info("service {}: certificates read again: in use for new connections", name);
  });
}

void Server::use_ticket_keys(std::size_t listener, const std::shared_ptr<const TicketKeys>& keys) {
  for (auto& worker : workers_) {
    worker->post([listener, keys](WorkerContext& context) { context.tls[listener]->use(keys); });
  }
  after_posted(control_, workers_, [name = model_->listeners[listener].name, count = keys->size()] {
    spdlog::info("listener {}: new session ticket keys: the first of {} seals from now on", name, count);
  });
}

/// All before any worker starts: an address that is taken is said at once.
void Server::bind_listeners(std::vector<std::vector<ListenSocket>>& by_worker, std::size_t workers) {
  for (const auto& listener : model_->listeners) {
    conf::Address address = listener.listen;
    for (std::size_t i = 0; i < workers; ++i) {
      if (i > 0 && !address.ip) {
        // A Unix socket has no SO_REUSEPORT: the workers share the one.
        const int copy = ::fcntl(by_worker[0].back().fd.get(), F_DUPFD_CLOEXEC, 0);
        if (copy < 0) throw std::system_error(errno, std::system_category(), "dup " + address.to_string());
        by_worker[i].push_back({UniqueFd(copy), address});
        continue;
      }
      by_worker[i].push_back(listen_on(address, workers > 1, listener.unix_mode));
      address = by_worker[i].back().address;  // port 0 becomes one port for all
    }
    addresses_.push_back(address);
    spdlog::info("listening on {} (listener {})", address.to_string(), listener.name);
  }
}

/// Who serves for it has changed, or is known for the first time.
void Server::use_members(std::size_t service, Members members) {
  directory_->use(service, std::move(members));
  checker_->update(directory_->probe_targets());
}

/// Who may be chosen for it was found out anew.
void Server::service_published(std::size_t service) {
  health_ports_->set_local_endpoints(service, local_endpoints(*directory_, service));
  selection_log_->published(service);
}

void Server::run() {
  directory_->start([this](std::size_t worker, std::size_t service, ServiceUpdate update) {
    workers_[worker]->update(service, std::move(update));
  });
  ejector_->start();
  checker_->start();
  if (ranges_watcher_ != nullptr) ranges_watcher_->start();
  signals_.start([this](int signal) { on_signal(signal); });
  timer_.expires_after(max_wait_for_names);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) serve();
  });
  discovery_->start([this] { serve(); });
  control_.run();
  for (auto& worker : workers_) worker->join();
}

/// Whoever connected until now has waited in the queue of the listening socket.
void Server::serve() {
  if (phase_ != Phase::starting) return;
  phase_ = Phase::serving;
  timer_.cancel();
  for (auto& worker : workers_) worker->start();
  key_files_.watch([this](std::size_t index, const auto& keys) { use_keys(index, keys); });
  backend_tls_files_.watch([this](std::size_t service) { use_backend_tls(service); });
  tls_files_.watch([this](std::size_t listener) { use_certificates(listener); },
                   [this](std::size_t listener, const auto& keys) { use_ticket_keys(listener, keys); });
  watch_sources();
  after_posted(control_, workers_, [this] {
    health_ports_->set_proxy_healthy(phase_ == Phase::serving);
    spdlog::info("ready: {} workers", workers_.size());
  });
}

void Server::on_signal(int signal) {
  if (signal == SIGUSR1) {
    reopen_log();
    for (auto& worker : workers_) worker->reopen_access_log();
  } else if (signal == SIGHUP) {
    spdlog::warn("SIGHUP: this version does not reload its configuration; restart it to apply a new one");
  } else if (signal == SIGTERM && phase_ == Phase::serving) {
    drain();
  } else if (signal == SIGINT && (phase_ == Phase::serving || phase_ == Phase::draining)) {
    spdlog::info("ending: requests in flight finish");
    close_listeners();
  } else {
    stop();
  }
}

/// 503 on /readyz and at the health ports first, so that whoever balances in front of us sends no more; still serving
/// what comes.
void Server::drain() {
  phase_ = Phase::draining;
  health_ports_->set_proxy_healthy(false);
  spdlog::info("draining: ready answers 503, listening for {} ms more", model_->drain.delay.count());
  for (auto& worker : workers_) worker->begin_drain();
  timer_.expires_after(model_->drain.delay);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) close_listeners();
  });
}

void Server::close_listeners() {
  phase_ = Phase::closing;
  health_ports_->set_proxy_healthy(false);
  busy_workers_ = workers_.size();
  timer_.expires_after(model_->drain.grace);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    spdlog::warn("grace time over: {} connections are cut", counts_.connections.load());
    stop();
  });
  for (auto& worker : workers_) {
    worker->finish_drain([this] { boost::asio::post(control_, [this] { worker_is_empty(); }); });
  }
}

void Server::worker_is_empty() {
  if (busy_workers_ == 0) return;
  if (--busy_workers_ != 0) return;
  spdlog::info("drained");
  stop();
}

void Server::stop() {
  if (phase_ == Phase::stopped) return;
  phase_ = Phase::stopped;
  timer_.cancel();
  source_timer_.cancel();
  signals_.stop();
  discovery_->stop();
  checker_->stop();
  ejector_->stop();
  directory_->stop();
  selection_log_->stop();
  key_files_.stop();
  tls_files_.stop();
  backend_tls_files_.stop();
  if (ranges_watcher_ != nullptr) ranges_watcher_->stop();
  health_ports_->stop();
  if (admin_ != nullptr) admin_->stop();
  for (auto& worker : workers_) worker->stop();
  control_.stop();
}

}  // namespace telltale::proxy
