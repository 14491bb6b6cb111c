#include "proxy/discovery/discovery.h"

#include "proxy/discovery/dns_client.h"
#include "proxy/discovery/hosts_file.h"
#include "proxy/discovery/substitute.h"
#include "proxy/net/route.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <random>
#include <string_view>
#include <utility>

namespace telltale::proxy {
namespace {

constexpr std::size_t max_logged_problems = 10;

std::function<double()> make_random() {
  return [engine = std::minstd_rand(std::random_device{}())]() mutable {
    return std::uniform_real_distribution<double>(0, 1)(engine);
  };
}

void log_problems(const std::string& service, std::string_view problems) {
  for (std::size_t i = 0; i < max_logged_problems && !problems.empty(); ++i) {
    const std::size_t end = std::min(problems.find('\n'), problems.size());
    spdlog::error("service {}: {}", service, problems.substr(0, end));
    problems.remove_prefix(std::min(end + 1, problems.size()));
  }
}

}  // namespace

/// A service with names or a file.
struct Discovery::Followed {
  conf::Service conf;
  conf::EndpointsFile file;          // the last good one
  std::vector<conf::DnsName> names;  // of both, each once
  std::unique_ptr<FileWatcher> watcher;
  std::chrono::system_clock::time_point loaded{};
  std::string problems;
  Members members;             // that on_change_ was told of
  bool is_limited = false;     // names bring more than is used, which was said
  bool has_new_names = false;  // nothing is told until those are looked up: better the old list than half of the new
};

Discovery::Discovery(boost::asio::io_context& io, const conf::Dns& dns, std::span<const conf::Service> services,
                     OnChange on_change, Options options)
    : on_change_(std::move(on_change)), services_(services.size()) {
  bool any = false;
  for (std::size_t i = 0; i < services.size(); ++i) {
    const conf::Service& service = services[i];
    if (service.endpoints_file.empty() && names_in(service, {}).empty()) continue;
    any = true;
    services_[i] = std::make_unique<Followed>(Followed{.conf = service});
    if (service.endpoints_file.empty()) continue;
    services_[i]->watcher =
        std::make_unique<FileWatcher>(io, service.endpoints_file, [this, i] { reload(i); }, options.file_interval);
    load(*services_[i]);
    if (!services_[i]->problems.empty()) throw EndpointsFileError(services_[i]->problems);
  }
  if (!any) return;
  if (!options.make_resolver) {
    options.make_resolver = [](boost::asio::io_context& on, const conf::Dns& conf) {
      return std::make_unique<DnsClient>(on, conf);
    };
  }
  resolver_ = options.make_resolver(io, dns);
  names_ = std::make_unique<NameTable>(
      io, dns, *resolver_,
      NameTable::Options{
          .hosts = [path = options.hosts_file](std::string_view name) { return find_in_hosts_file(path, name); },
          .has_route = options.has_route ? options.has_route : &has_route,
          .random = options.random ? options.random : make_random(),
          .on_lookup = [this](const NameTable::Key& key, bool changed) { on_lookup(key, changed); }});
  follow_names();
  for (const auto& followed : services_) {
    if (followed) followed->members = members_of(*followed);
  }
}

Discovery::~Discovery() { stop(); }

bool Discovery::follows(std::size_t service) const { return services_[service] != nullptr; }

Members Discovery::initial(std::size_t service) const { return services_[service]->members; }

void Discovery::start(std::function<void()> settled) {
  running_ = true;
  settled_ = std::move(settled);
  if (names_) names_->start();
  for (const auto& followed : services_) {
    if (followed && followed->watcher) followed->watcher->start();
  }
  check_settled();
}

void Discovery::stop() {
  if (!std::exchange(running_, false)) return;
  for (const auto& followed : services_) {
    if (followed && followed->watcher) followed->watcher->stop();
  }
  if (names_) names_->stop();
  if (resolver_) resolver_->stop();
}

/// The file as it is now, or why it is not used.
void Discovery::load(Followed& followed) {
  followed.watcher->about_to_read();
  auto result = conf::load_endpoints_file(followed.conf.endpoints_file, followed.conf);
  followed.problems = std::move(result.problems);
  if (!result.file) return;
  followed.file = std::move(*result.file);
  followed.loaded = std::chrono::system_clock::now();
}

void Discovery::reload(std::size_t service) {
  Followed& followed = *services_[service];
  const conf::Service& conf = followed.conf;
  load(followed);
  if (!followed.problems.empty()) {
    ++files_refused_;
    log_problems(conf.name, followed.problems);
    spdlog::error("service {}: {} is not used; the last good list stays in force: {} nodes, {} endpoints", conf.name,
                  conf.endpoints_file, followed.file.nodes.size(), followed.file.endpoints.size());
    return;
  }
  ++files_loaded_;
  spdlog::info("service {}: {} read again: {} nodes, {} endpoints", conf.name, conf.endpoints_file,
               followed.file.nodes.size(), followed.file.endpoints.size());
  follow_names();
  followed.has_new_names = has_unsettled(followed);
  publish(service);
}

void Discovery::follow_names() {
  std::vector<conf::DnsName> all;
  uses_.clear();
  for (std::size_t i = 0; i < services_.size(); ++i) {
    if (!services_[i]) continue;
    services_[i]->names.clear();
    for (conf::DnsName& name : names_in(services_[i]->conf, services_[i]->file)) {
      auto& users = uses_[NameTable::Key(name)];
      if (!users.empty() && users.back() == i) continue;  // at another port, say
      users.push_back(i);
      all.push_back(name);
      services_[i]->names.push_back(std::move(name));
    }
  }
  names_->follow(all);
}

void Discovery::on_lookup(const NameTable::Key& key, bool changed) {
  const auto users = uses_.find(key);
  if (users != uses_.end()) {
    // Who waits for new names hears of those that brought nothing, too.
    for (const std::size_t service : std::vector(users->second)) {
      if (changed || services_[service]->has_new_names) publish(service);
    }
  }
  check_settled();
}

bool Discovery::has_unsettled(const Followed& followed) const {
  return std::ranges::any_of(followed.names, [this](const conf::DnsName& name) {
    const FollowedName* found = names_->find(name);
    return found == nullptr || !found->is_settled();
  });
}

void Discovery::check_settled() {
  if (!settled_ || !running_) return;
  if (std::ranges::any_of(services_, [this](const auto& each) { return each && has_unsettled(*each); })) return;
  std::exchange(settled_, {})();
}

Members Discovery::members_of(Followed& followed) const {
  auto [members, left_out] = substitute(followed.conf, followed.file, [this](const conf::DnsName& name) {
    const FollowedName* found = names_->find(name);
    return found == nullptr ? nullptr : &found->answer();
  });
  if (left_out > 0 && !followed.is_limited) {
    spdlog::warn("service {}: its names bring more than {} addresses: the last {} are left out", followed.conf.name,
                 max_addresses, left_out);
  }
  followed.is_limited = left_out > 0;
  return std::move(members);
}

void Discovery::publish(std::size_t service) {
  Followed& followed = *services_[service];
  if (!running_ || (followed.has_new_names && has_unsettled(followed))) return;
  followed.has_new_names = false;
  Members members = members_of(followed);
  if (members == followed.members) return;
  followed.members = members;
  on_change_(service, std::move(members));
}

DiscoveryStatus Discovery::describe(std::size_t service) const {
  DiscoveryStatus status;
  const auto& followed = services_[service];
  if (!followed) return status;
  for (const auto& name : followed->names) status.names.push_back(names_->describe(name));
  if (followed->watcher) {
    status.file = FileStatus{.path = followed->conf.endpoints_file,
                             .nodes = followed->file.nodes.size(),
                             .endpoints = followed->file.endpoints.size(),
                             .loaded = followed->loaded,
                             .problems = followed->problems};
  }
  return status;
}

DiscoveryCounts Discovery::counts() const {
  DiscoveryCounts counts{.files_loaded = files_loaded_, .files_refused = files_refused_};
  for (const auto& followed : services_) counts.files_not_in_force += followed && !followed->problems.empty() ? 1 : 0;
  if (names_) names_->count(counts);
  return counts;
}

}  // namespace telltale::proxy
