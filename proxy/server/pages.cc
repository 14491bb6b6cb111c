// What the server tells: the admin server's pages, and warnings about where connections come from.
#include "proxy/explain/live.h"
#include "proxy/observe/metrics_text.h"
#include "proxy/server/gather.h"
#include "proxy/server/server.h"
#include "proxy/server/service_health.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace telltale::proxy {
namespace {

constexpr std::chrono::seconds source_interval{5};

}  // namespace

void Server::start_admin() {
  if (!model_->admin.listen) return;
  AdminSource source{
      .ready = [this] { return ready(); },
      .metrics = [this] { return metrics_text(); },
      .services = [this] { return services_text(); },
      .explain = {},
      .in_force = [this](std::function<void()> done) { after_posted(control_, workers_, std::move(done)); }};
  if (model_->admin.explain_requests > 0) {
    source.explain = [this](const ExplainQuery& query, std::function<void(std::string)> done) {
      explain(query, std::move(done));
    };
  }
  admin_ = std::make_unique<AdminServer>(control_, *model_->admin.listen, std::move(source));
  spdlog::info("admin on {}", admin_->local_address().to_string());
}

std::vector<ReadyCheck> Server::ready() const {
  return ready_checks(*directory_, served_,
                      {.workers = workers_.size(),
                       .workers_running = counts_.workers_running.load(std::memory_order_relaxed),
                       .draining = phase_ > Phase::serving});
}

std::vector<ServiceStatus> Server::statuses() const {
  auto all = service_statuses(*directory_, *ejector_);
  for (std::size_t service = 0; service < all.size(); ++service) {
    if (discovery_->follows(service)) all[service].discovery = discovery_->describe(service);
  }
  return all;
}

/// What is known of the endpoints' health by now is on its way to the workers from here on.
void Server::publish_changes() {
  checker_->tell_changes();
  directory_->publish_waiting();
}

std::string Server::services_text() {
  publish_changes();
  return render_services(snapshot_->services, statuses());
}

std::string Server::metrics_text() {
  publish_changes();
  std::vector<WorkerMetrics*> metrics;
  metrics.reserve(workers_.size());
  for (const auto& worker : workers_) metrics.push_back(&worker->metrics());
  std::vector<std::string> names;
  names.reserve(model_->listeners.size());
  for (const auto& listener : model_->listeners) names.push_back(listener.name);
  std::vector<SourceLoss> source_loss;
  source_loss.reserve(source_loss_.size());
  for (const auto& detector : source_loss_) source_loss.push_back(detector.suspected());
  return render_metrics(metrics, names, snapshot_->services, source_loss, statuses(), discovery_->counts());
}

void Server::explain(const ExplainQuery& query, std::function<void(std::string)> done) {
  using Records = std::vector<RecordedRequest>;
  gather<Records>(
      control_, workers_,
      [query](WorkerContext& worker) {
        return query.id ? worker.recorder->find(query.id->high, query.id->low) : worker.recorder->last(query.last);
      },
      [query, done = std::move(done)](std::vector<Records> by_worker) {
        Records all;
        for (Records& each : by_worker) std::ranges::move(each, std::back_inserter(all));
        done(render_recorded(std::move(all), query));
      });
}

void Server::watch_sources() {
  source_timer_.expires_after(source_interval);
  source_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    gather<std::vector<SourceCounts>>(
        control_, workers_,
        [](WorkerContext& worker) {
          std::vector<SourceCounts> taken = worker.sources;
          for (auto& each : worker.sources) each.clear();
          return taken;
        },
        [this](const std::vector<std::vector<SourceCounts>>& by_worker) { judge_sources(by_worker); });
    watch_sources();
  });
}

void Server::judge_sources(const std::vector<std::vector<SourceCounts>>& by_worker) {
  const auto now = SourceLossDetector::Clock::now();
  for (std::size_t i = 0; i < source_loss_.size(); ++i) {
    SourceCounts all;
    for (const auto& counts : by_worker) all.merge(counts[i]);
    const std::string warning = source_loss_[i].add(model_->listeners[i].name, all, now);
    if (!warning.empty()) spdlog::warn("{}", warning);
  }
}

}  // namespace telltale::proxy
