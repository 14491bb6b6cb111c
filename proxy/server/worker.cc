#include "proxy/server/worker.h"

#include <spdlog/spdlog.h>

#include <exception>
#include <random>

namespace telltale::proxy {

std::uint64_t random_64() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

Worker::Worker(const std::shared_ptr<const Snapshot>& snapshot, std::vector<ListenSocket> sockets, SharedCounts& counts,
               std::unique_ptr<AccessLog> access_log, std::vector<ServiceUpdate> services,
               const KeyFiles::KeySets& keys, TlsFiles::Contexts tls, BackendTlsFiles::Contexts backend_tls)
    : counts_(counts), table_(context_, counts.connections, snapshot->model->max_connections), transactions_(context_) {
  const auto& model = *snapshot->model;
  context_.snapshot = snapshot;
  context_.access_log = std::move(access_log);
  context_.metrics = std::make_unique<WorkerMetrics>(model.listeners.size(), model.services.size());
  for (const auto& set : keys) context_.keyrings.push_back(std::make_unique<assertion::Keyring>(*set));
  context_.tls = std::move(tls);
  context_.backend_tls = std::move(backend_tls);
  context_.backend_tls.resize(model.services.size());
  if (model.admin.listen && model.admin.explain_requests > 0) {
    context_.recorder = std::make_unique<RequestRecorder>(model.admin.explain_requests);
  }
  context_.sources.resize(model.listeners.size());
  context_.proxy_failure_rates.resize(model.listeners.size());
  context_.dropped_assertion_rates.resize(model.listeners.size());
  context_.id_stem[0] = random_64();
  context_.id_stem[1] = random_64();
  context_.obfuscation_key = counts.obfuscation_key;
  context_.next_connection_number = random_64();

  for (const auto& service : snapshot->services) {
    context_.services.push_back(
        std::make_unique<LocalService>(context_.loop, service, *context_.metrics->services[service->index()]));
    context_.services.back()->update(std::move(services[service->index()]));
  }
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    ConnectionContext connection;
    connection.snapshot = snapshot;
    connection.listener_index = i;
    connection.listener = &model.listeners[i];
    connection.metrics = context_.metrics->listeners[i].get();
    connection.listener_connections = &counts.listener_connections[i];
    listeners_.push_back(std::make_unique<Listener>(table_, transactions_, std::move(connection),
                                                    std::move(sockets[i].fd), sockets[i].address));
  }
  if (context_.access_log != nullptr) {
    context_.loop.at_end_of_pass([this] {
      if (!context_.access_log->pending()) return;
      context_.access_log->flush();
      context_.metrics->access_log_dropped.set(context_.access_log->dropped());
    });
  }
}

Worker::~Worker() {
  stop();
  join();
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::run() {
  try {
    for (auto& listener : listeners_) listener->start();
    counts_.workers_running.fetch_add(1, std::memory_order_relaxed);
    context_.loop.run();
    counts_.workers_running.fetch_sub(1, std::memory_order_relaxed);
    // What a grace period did not see end is cut here, on its own thread.
    for (auto& service : context_.services) service->close_idle();
    context_.loop.abort_all();
    if (context_.access_log != nullptr) context_.access_log->flush();
  } catch (const std::exception& error) {
    spdlog::critical("a worker ended: {}", error.what());
    std::terminate();  // half a proxy is worse than a restarted one
  }
}

void Worker::begin_drain() {
  context_.loop.post([this] { context_.draining = true; });
}

void Worker::finish_drain(std::function<void()> on_empty) {
  context_.loop.post([this, on_empty = std::move(on_empty)] {
    context_.draining = true;
    for (auto& listener : listeners_) listener->stop();
    table_.close_idle();
    if (table_.size() == 0) {
      on_empty();
    } else {
      table_.on_empty(on_empty);
    }
  });
}

void Worker::post(std::function<void(WorkerContext&)> task) {
  context_.loop.post([this, task = std::move(task)] { task(context_); });
}

void Worker::use(std::shared_ptr<const Snapshot> snapshot) {
  context_.loop.post([this, snapshot = std::move(snapshot)] {
    context_.snapshot = snapshot;
    for (auto& listener : listeners_) listener->use(snapshot);
  });
}

void Worker::update(std::size_t service, ServiceUpdate update) {
  context_.loop.post([this, service, update = std::move(update)]() mutable {
    if (const auto& tls = context_.backend_tls[service]) tls->keep_only(*update.set);
    context_.services[service]->update(std::move(update));
    for (auto& listener : listeners_) listener->follow(service);
  });
}

void Worker::reopen_access_log() {
  context_.loop.post([this] {
    if (context_.access_log != nullptr) context_.access_log->reopen();
  });
}

}  // namespace telltale::proxy
