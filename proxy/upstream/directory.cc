#include "proxy/upstream/directory.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace telltale::proxy {
namespace {

/// A service whose endpoints flap without end may cost a tenth of the control thread, not all of it.
constexpr int rest_after_work = 10;

/// Whether the two kinds of traffic may get different endpoints.
bool tells_traffic_apart(const conf::Service& conf) {
  return conf.internal_traffic_policy != conf.external_traffic_policy;
}

std::shared_ptr<const std::vector<bool>> eligible_of(const Selection& selection, std::uint32_t limit) {
  auto eligible = std::make_shared<std::vector<bool>>(limit);
  for (const Candidate& candidate : selection.candidates) (*eligible)[candidate.endpoint] = true;
  return eligible;
}

}  // namespace

Directory::Directory(boost::asio::io_context& io, std::vector<std::shared_ptr<Service>> services, Location location,
                     std::size_t workers, std::uint64_t seed)
    : sets_(std::move(services)),
      location_(std::move(location)),
      seed_(seed),
      seeds_(workers),
      timer_(io),
      waits_(sets_.services().size()),
      not_before_(sets_.services().size()),
      chosen_(sets_.services().size()) {
  schedule_.grow(sets_.services().size());
}

/// Neighbours, for which balancers begin far apart (make_balancers), so that workers are spread over the endpoints. A
/// new phase each time: a flapping endpoint must not favour another.
const std::vector<std::uint64_t>& Directory::next_seeds() {
  seed_ = seed_ * 6364136223846793005ULL + 1442695040888963407ULL;
  std::iota(seeds_.begin(), seeds_.end(), seed_);
  return seeds_;
}

void Directory::begin_with(std::size_t service, Members members) { sets_.use(service, std::move(members), {}); }

std::vector<ServiceUpdate> Directory::make_updates(std::size_t service) {
  const Service& of = *sets_.services()[service];
  const auto now = std::chrono::system_clock::now();
  std::vector<ServiceUpdate> updates(seeds_.size());
  for (auto& update : updates) update.set = of.shared_set();
  auto again = std::chrono::system_clock::time_point::max();
  for (std::size_t kind = 0; kind < traffic_kinds; ++kind) {
    Selection selection = select_endpoints(of.conf(), of.set(), location_, static_cast<TrafficKind>(kind), now);
    const auto eligible = eligible_of(selection, of.set().index_limit);
    std::vector<std::unique_ptr<Balancer>> balancers(seeds_.size());
    if (!selection.candidates.empty()) {
      balancers = make_balancers(of.conf().balance, selection.candidates, next_seeds());
    }
    for (std::size_t worker = 0; worker < updates.size(); ++worker) {
      updates[worker].by_traffic[kind] = {std::move(balancers[worker]), selection.reason, eligible};
    }
    chosen_[service][kind] = {selection.reason, selection.candidates.size()};
    again = std::min(again, selection.again);
    if (!tells_traffic_apart(of.conf())) {
      chosen_[service].fill(chosen_[service][kind]);
      break;
    }
  }
  if (again != std::chrono::system_clock::time_point::max()) schedule_.set(service, SteadyClock::now() + (again - now));
  return updates;
}

std::vector<std::vector<ServiceUpdate>> Directory::first_updates() {
  std::vector<std::vector<ServiceUpdate>> by_worker(seeds_.size());
  for (std::size_t service = 0; service < chosen_.size(); ++service) {
    auto updates = make_updates(service);
    for (std::size_t worker = 0; worker < updates.size(); ++worker) {
      by_worker[worker].push_back(std::move(updates[worker]));
    }
  }
  return by_worker;
}

void Directory::start(Publish publish) {
  publish_ = std::move(publish);
  arm();
}

void Directory::stop() {
  stopped_ = true;
  timer_.cancel();
}

void Directory::use(std::size_t service, Members members) {
  for (const std::size_t changed : sets_.use(service, std::move(members), std::chrono::system_clock::now())) {
    publish(changed);
  }
}

void Directory::refresh(std::size_t service) {
  if (stopped_ || publish_ == nullptr) return;
  if (SteadyClock::now() >= not_before_[service]) return publish(service);
  waits_[service] = true;
  schedule_.set(service, not_before_[service]);
  arm();
}

void Directory::publish_waiting() {
  for (std::size_t service = 0; service < waits_.size(); ++service) {
    if (waits_[service]) publish(service);
  }
}

void Directory::publish(std::size_t service) {
  if (stopped_ || publish_ == nullptr) return;
  const auto began = SteadyClock::now();
  schedule_.clear(service);
  waits_[service] = false;
  auto updates = make_updates(service);
  for (std::size_t worker = 0; worker < updates.size(); ++worker) {
    publish_(worker, service, std::move(updates[worker]));
  }
  const auto ended = SteadyClock::now();
  not_before_[service] = ended + rest_after_work * (ended - began);
  if (on_publish_) on_publish_(service);
  arm();
}

void Directory::arm() {
  if (stopped_ || schedule_.next() == Schedule::Time::max()) return;
  timer_.expires_at(schedule_.next());
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) on_time();
  });
}

void Directory::on_time() {
  const auto now = SteadyClock::now();
  while (const auto service = schedule_.pop_due(now)) publish(*service);
  arm();
}

}  // namespace telltale::proxy
