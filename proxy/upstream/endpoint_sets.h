#pragma once

#include "proxy/health/probe_target.h"
#include "proxy/upstream/members.h"
#include "proxy/upstream/service.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace telltale::proxy {

/// Makes the services' endpoint sets out of their members, again whenever those change, and knows what is to be probed:
/// - where the service has `node_health`: every node, at its health port, else `node_health.port`; and by `health`, if
///   there is that too, every endpoint, and a node without any where it serves, at `health.port`, else where they
///   serve;
/// - else a node without endpoints, and a node with endpoints when the service's `health` or the node names a health
///   port: the node, at its health port, else `health.port`, else the port that serves;
/// - every other endpoint: itself, at `health.port`, else where it serves (a Unix socket always where it serves);
/// - nothing where `health` (`node_health`) tracks another service: there the verdicts of that one's node of the same
///   name (of several addresses: the same one, if it is there), else of the same address, are taken.
/// One probe target, one verdict (health.md). Control thread only.
class EndpointSets {
 public:
  using Time = std::chrono::system_clock::time_point;

  /// Nobody serves yet.
  explicit EndpointSets(std::vector<std::shared_ptr<Service>> services);

  /// Gives the service a new set. What stays - the same address, of a node of the same name - keeps its id, index,
  /// verdicts and passive health; what comes is known since `now` ({}: from the beginning). Returns the services whose
  /// sets changed: it and those that track it. The members were validated: a node that has neither an address nor a
  /// port throws std::invalid_argument.
  std::vector<std::size_t> use(std::size_t service, Members members, Time now);

  const std::vector<std::shared_ptr<Service>>& services() const { return services_; }
  /// Each once, whoever asks for it.
  std::vector<ProbeTarget> probe_targets() const;

 private:
  /// What the control thread keeps of one service.
  struct Entry {
    Members members;
    std::vector<ProbeTarget> targets;  // each once; `affected` is this service
    std::uint64_t next_id = 1;
    std::vector<std::uint32_t> free_indexes;
    std::uint32_t index_limit = 0;
  };
  class Builder;

  void rebuild(std::size_t service, Time now);
  std::shared_ptr<HealthVerdict> verdict_of(std::size_t service, const conf::Health& asked, conf::Address address,
                                            const std::string& name, const std::string& host_name);

  std::vector<std::shared_ptr<Service>> services_;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::weak_ptr<HealthVerdict>> verdicts_;  // by probe_key()
};

}  // namespace telltale::proxy
