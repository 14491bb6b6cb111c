#pragma once

#include "conf/model.h"
#include "proxy/upstream/affinity_table.h"
#include "proxy/upstream/endpoint.h"

#include <cstddef>
#include <memory>
#include <string>

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

  // Control thread only.
  const EndpointSet& set() const { return *set_; }
  std::shared_ptr<const EndpointSet> shared_set() const { return set_; }
  void use(std::shared_ptr<const EndpointSet> set) { set_ = std::move(set); }

 private:
  conf::Service conf_;
  std::size_t index_;
  std::unique_ptr<AffinityTable> affinity_;
  std::shared_ptr<const EndpointSet> set_ = std::make_shared<EndpointSet>();
};

}  // namespace telltale::proxy
