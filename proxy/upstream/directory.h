#pragma once

#include "proxy/health/schedule.h"
#include "proxy/upstream/endpoint_sets.h"
#include "proxy/upstream/local_service.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace telltale::proxy {

/// Who serves for each service, and who of them may be chosen, as the control thread knows it; from it the workers'
/// LocalServices are kept up to date. Tables for choosing are built here, so that no worker ever stops for one. Control
/// thread only.
class Directory {
 public:
  /// One worker's part of a change.
  using Publish = std::function<void(std::size_t worker, std::size_t service, ServiceUpdate update)>;

  /// Nobody serves yet.
  Directory(boost::asio::io_context& io, std::vector<std::shared_ptr<Service>> services, Location location,
            std::size_t workers, std::uint64_t seed);

  /// The first members, before any worker runs: they were there from the beginning.
  void begin_with(std::size_t service, Members members);
  /// What the LocalServices begin with: by worker, by service.
  std::vector<std::vector<ServiceUpdate>> first_updates();
  /// From now on changes are published.
  void start(Publish publish);
  void stop();

  /// New members; probe_targets() may have changed.
  void use(std::size_t service, Members members);
  /// Health of some of the service's endpoints changed. Who may be chosen is found out, and published, within this
  /// call, unless it is costly and was done a moment ago: then soon.
  void refresh(std::size_t service);

  /// Publishes now what waits for its time.
  void publish_waiting();

  const std::vector<std::shared_ptr<Service>>& services() const { return sets_.services(); }
  std::vector<ProbeTarget> probe_targets() const { return sets_.probe_targets(); }
  /// Of the last publication.
  SelectionReason reason(std::size_t service, TrafficKind traffic) const { return chosen(service, traffic).reason; }
  /// How many may be chosen; likewise.
  std::size_t eligible_count(std::size_t service, TrafficKind traffic) const { return chosen(service, traffic).count; }
  const Location& location() const { return location_; }
  /// After each publication of a service: for health ports and others who answer for it. Set before start().
  void on_publish(std::function<void(std::size_t service)> listener) { on_publish_ = std::move(listener); }

 private:
  using SteadyClock = Schedule::Time::clock;

  /// What the last publication said of one kind of traffic.
  struct Chosen {
    SelectionReason reason = SelectionReason::no_endpoint;
    std::size_t count = 0;
  };
  const Chosen& chosen(std::size_t service, TrafficKind traffic) const {
    return chosen_[service][static_cast<std::size_t>(traffic)];
  }
  std::vector<ServiceUpdate> make_updates(std::size_t service);
  const std::vector<std::uint64_t>& next_seeds();
  void publish(std::size_t service);
  void arm();
  void on_time();

  EndpointSets sets_;
  Location location_;
  std::uint64_t seed_;                // of the last balancers of all
  std::vector<std::uint64_t> seeds_;  // of these, by worker
  Publish publish_;
  std::function<void(std::size_t)> on_publish_;
  boost::asio::steady_timer timer_;
  Schedule schedule_;                                      // of services that are to be published
  std::vector<bool> waits_;                                // by service: changed, and not published yet
  std::vector<SteadyClock::time_point> not_before_;        // by service
  std::vector<std::array<Chosen, traffic_kinds>> chosen_;  // by service
  bool stopped_ = false;
};

}  // namespace telltale::proxy
