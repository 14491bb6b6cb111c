#pragma once

#include "conf/model.h"
#include "proxy/upstream/affinity_table.h"
#include "proxy/upstream/circuit_breaker.h"
#include "proxy/upstream/connection_line.h"
#include "proxy/upstream/endpoint.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace telltale::proxy {

/// What a route names. Shared by all threads; who serves for it is the control thread's to know (`set()`), workers have
/// their LocalService.
class Service {
 public:
  Service(const conf::Service& conf, std::size_t index);

  const conf::Service& conf() const { return conf_; }
  const std::string& name() const { return conf_.name; }
  std::size_t index() const { return index_; }
  /// null: no session affinity. Any thread.
  AffinityTable* affinity() const { return affinity_.get(); }
  /// What is in use of its limits. Any thread.
  CircuitBreaker& breaker() { return breaker_; }
  const CircuitBreaker& breaker() const { return breaker_; }
  ConnectionLines& lines() { return lines_; }

  /// An endpoint failed as often in a row as conf::Ejection says. Any thread.
  void report_failing(std::uint64_t endpoint_id, std::string_view why) const {
    if (on_failing_) on_failing_(endpoint_id, std::string(why));
  }

  // Control thread only.
  /// Who hears of it, on the thread that reports. Before any worker runs.
  void on_failing(std::function<void(std::uint64_t endpoint_id, std::string why)> listener) {
    on_failing_ = std::move(listener);
  }
  const EndpointSet& set() const { return *set_; }
  std::shared_ptr<const EndpointSet> shared_set() const { return set_; }
  void use(std::shared_ptr<const EndpointSet> set) { set_ = std::move(set); }

 private:
  conf::Service conf_;
  std::size_t index_;
  std::unique_ptr<AffinityTable> affinity_;
  CircuitBreaker breaker_;
  ConnectionLines lines_;
  std::function<void(std::uint64_t, std::string)> on_failing_;
  std::shared_ptr<const EndpointSet> set_ = std::make_shared<EndpointSet>();
};

}  // namespace telltale::proxy
