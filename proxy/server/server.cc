#include "proxy/server/server.h"

#include <fcntl.h>
#include <signal.h>

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

#include "proxy/observe/log.h"
#include "proxy/observe/metrics_text.h"
#include "proxy/upstream/service_builder.h"

namespace telltale::proxy {
namespace {

constexpr int handled_signals[] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP};

/// When the signal set goes, the default actions come back: a second SIGTERM must not turn a clean end into a kill.
void block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : handled_signals) sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

std::size_t worker_count(const conf::Model& model) {
  return model.workers != 0 ? model.workers : std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

Server::Server(boost::asio::io_context& control, std::shared_ptr<const conf::Model> model, AccessLogFactory make_log)
    : control_(control),
      model_(std::move(model)),
      make_log_(std::move(make_log)),
      counts_(),
      signals_(control),
      timer_(control) {
  for (const int signal : handled_signals) signals_.add(signal);
  if (!make_log_) make_log_ = [conf = model_->access_log] { return make_access_log(conf); };
  build_snapshot();
  std::vector<std::vector<ListenSocket>> sockets(worker_count(*model_));
  bind_listeners(sockets, sockets.size());
  for (auto& of_worker : sockets) {
    workers_.push_back(std::make_unique<Worker>(snapshot_, std::move(of_worker), counts_, make_log_()));
  }
  start_admin();
}

Server::~Server() {
  for (auto& worker : workers_) worker->stop();
  for (const auto& listener : model_->listeners) {
    if (!listener.listen.ip) ::unlink(listener.listen.unix_path.c_str());
  }
}

void Server::build_snapshot() {
  snapshot_ = std::make_shared<Snapshot>();
  snapshot_->model = model_;
  auto built = ServiceBuilder::build(model_->services);
  snapshot_->services = std::move(built.services);
  snapshot_->endpoint_count = built.endpoint_count;
  for (const auto& listener : model_->listeners) {
    snapshot_->routes.push_back(std::make_unique<RouteTable>(listener.routes));
    counts_.listener_connections.emplace_back(0);
  }
  checker_ = std::make_unique<HealthChecker>(control_, std::move(built.probe_targets));
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

void Server::start_admin() {
  if (!model_->admin.listen) return;
  admin_ = std::make_unique<AdminServer>(
      control_, *model_->admin.listen,
      AdminSource{.ready = [this](std::string& why_not) { return ready(why_not); },
                  .metrics = [this] { return metrics_text(); },
                  .services = [this] { return render_services(snapshot_->services); }});
  spdlog::info("admin on {}", admin_->local_address().to_string());
}

/// Configuration loaded, workers up, some service has an endpoint that may serve, not draining.
bool Server::ready(std::string& why_not) const {
  if (phase_ != Phase::serving) {
    why_not = "draining";
    return false;
  }
  if (snapshot_->services.empty()) return true;
  for (const auto& service : snapshot_->services) {
    for (const auto& endpoint : service->endpoints()) {
      const HealthState state = endpoint->state();
      if (state == HealthState::healthy || state == HealthState::unknown) return true;
    }
  }
  why_not = "no service has an endpoint that is fit to serve";
  return false;
}

std::string Server::metrics_text() const {
  std::vector<WorkerMetrics*> metrics;
  metrics.reserve(workers_.size());
  for (const auto& worker : workers_) metrics.push_back(&worker->metrics());
  std::vector<std::string> names;
  names.reserve(model_->listeners.size());
  for (const auto& listener : model_->listeners) names.push_back(listener.name);
  return render_metrics(metrics, names, snapshot_->services);
}

void Server::run() {
  checker_->start();
  for (auto& worker : workers_) worker->start();
  wait_for_signal();
  spdlog::info("ready: {} workers", workers_.size());
  control_.run();
  for (auto& worker : workers_) worker->join();
  block_signals();
}

void Server::wait_for_signal() {
  signals_.async_wait([this](boost::system::error_code error, int signal) {
    if (error) return;
    wait_for_signal();
    on_signal(signal);
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

/// 503 on /readyz first, so that whoever balances in front of us sends no more; still serving what comes.
void Server::drain() {
  phase_ = Phase::draining;
  spdlog::info("draining: ready answers 503, listening for {} ms more", model_->drain.delay.count());
  for (auto& worker : workers_) worker->begin_drain();
  timer_.expires_after(model_->drain.delay);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) close_listeners();
  });
}

void Server::close_listeners() {
  phase_ = Phase::closing;
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
  signals_.cancel();
  checker_->stop();
  if (admin_ != nullptr) admin_->stop();
  for (auto& worker : workers_) worker->stop();
  control_.stop();
}

}  // namespace telltale::proxy
