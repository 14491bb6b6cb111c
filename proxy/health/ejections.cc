#include "proxy/health/ejections.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>
#include <utility>

namespace telltale::proxy {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

std::string seconds_text(milliseconds time) {
  return time.count() % 1000 == 0 ? fmt::format("{} s", time.count() / 1000) : fmt::format("{} ms", time.count());
}

std::string title(const Service& service, const Endpoint& endpoint) {
  return service.name() + "/" + endpoint.name +
         (endpoint.name == endpoint.address_text ? "" : " at " + endpoint.address_text);
}

}  // namespace

milliseconds ejection_time(const conf::Ejection& conf, unsigned times) {
  milliseconds time = conf.time;
  for (unsigned i = 1; i < times && time < conf.max_time; ++i) time *= 2;
  return std::min(time, conf.max_time);
}

unsigned times_after(const conf::Ejection& conf, unsigned times, milliseconds behaved) {
  while (times > 0) {
    const milliseconds needed = ejection_time(conf, times);
    if (behaved < needed) break;
    behaved -= needed;
    --times;
  }
  return times;
}

Ejections::Ejections(std::vector<std::shared_ptr<Service>> services, Location location)
    : services_(std::move(services)), location_(std::move(location)), entries_(services_.size()) {}

/// What is kept of the service, for the endpoints that it has now.
Ejections::Entry& Ejections::look_at(std::size_t service) {
  Entry& entry = entries_[service];
  auto set = services_[service]->shared_set();
  if (set == entry.seen) return entry;
  entry.seen = std::move(set);
  entry.by_id.clear();
  for (const auto& endpoint : entry.seen->endpoints) entry.by_id.emplace(endpoint->id, endpoint);
  // Who has gone is forgotten: if it comes again, then as a new one.
  std::erase_if(entry.out, [&](const auto& each) { return !entry.by_id.contains(each.first); });
  for (auto& [id, out] : entry.out) out.endpoint = entry.by_id.at(id);
  return entry;
}

std::shared_ptr<const Endpoint> Ejections::failing(std::size_t service, std::uint64_t id, std::string_view why,
                                                   Now now) {
  const auto& conf = services_[service]->conf().ejection;
  Entry& entry = look_at(service);
  const auto found = entry.by_id.find(id);
  if (!conf || found == entry.by_id.end() || entry.out.contains(id)) return nullptr;
  const auto endpoint = found->second;
  PassiveHealth& passive = *endpoint->passive;
  if (!may_go(service, *endpoint, now)) {
    passive.failures.store(0, std::memory_order_relaxed);
    return nullptr;
  }
  // A clock that was set back: it has not been in for long.
  const auto behaved = std::max(duration_cast<milliseconds>(now.system - passive.recovered), milliseconds(0));
  passive.times = times_after(*conf, passive.times, behaved);
  if (passive.times == 0 || ejection_time(*conf, passive.times) < conf->max_time) ++passive.times;
  const milliseconds time = ejection_time(*conf, passive.times);
  passive.ejected = true;
  passive.reason =
      fmt::format("{} failure{} in a row, the last: {}", conf->failures, conf->failures == 1 ? "" : "s", why);
  passive.since = now.system;
  passive.until = now.system + time;
  entry.out.emplace(id, Out{endpoint, now.steady, now.steady + time});
  ends_.push({now.steady + time, service, id});
  ++entry.total;
  spdlog::warn("ejection: {} gets no traffic for {}: {}", title(*services_[service], *endpoint), seconds_text(time),
               passive.reason);
  return endpoint;
}

bool Ejections::may_go(std::size_t service, const Endpoint& endpoint, Now now) {
  const conf::Service& conf = services_[service]->conf();
  Entry& entry = entries_[service];
  const std::size_t all = entry.seen->endpoints.size(), out = entry.out.size();
  const bool within_share = out == 0 || (out + 1) * 100 <= std::size_t{conf.ejection->max_share} * all;
  const auto is_last = [&](TrafficKind traffic) {
    return is_last_candidate(conf, *entry.seen, location_, traffic, endpoint);
  };
  if (within_share && !is_last(TrafficKind::external) && !is_last(TrafficKind::internal)) return true;
  if (const auto held_back = entry.refusals.admit(now.steady)) {
    spdlog::warn("ejection: {} fails, but stays: {}{}", title(*services_[service], endpoint),
                 within_share ? std::string("nobody else may be chosen")
                              : fmt::format("{} of {} endpoints are out, and max_share is {} %", out, all,
                                            conf.ejection->max_share),
                 and_held_back(*held_back));
  }
  return false;
}

void Ejections::bring_back(const Service& service, const Out& out, std::string_view why, Now now) const {
  PassiveHealth& passive = *out.endpoint->passive;
  passive.ejected = false;
  passive.failures.store(0, std::memory_order_relaxed);
  passive.recovered = now.system;
  spdlog::info("ejection: {} may be chosen again after {}: {}", title(service, *out.endpoint),
               seconds_text(duration_cast<milliseconds>(now.steady - out.since)), why);
}

std::vector<std::size_t> Ejections::succeeded(const ProbeTarget& target, SteadyTime began, Now now) {
  std::vector<std::size_t> changed;
  for (const std::size_t service : target.affected) {
    if (entries_[service].out.empty()) continue;
    Entry& entry = look_at(service);
    const std::size_t back = std::erase_if(entry.out, [&](const auto& each) {
      const Endpoint& endpoint = *each.second.endpoint;
      const bool is_about_it = endpoint.verdict == target.verdict || endpoint.node_verdict() == target.verdict;
      if (!is_about_it || endpoint.address != target.address || began <= each.second.since) return false;
      bring_back(*services_[service], each.second, "a probe succeeded", now);
      return true;
    });
    if (back > 0) changed.push_back(service);
  }
  return changed;
}

std::vector<std::size_t> Ejections::end_due(Now now) {
  std::vector<std::size_t> changed;
  while (!ends_.empty() && ends_.top().when <= now.steady) {
    const End end = ends_.top();
    ends_.pop();
    Entry& entry = look_at(end.service);
    const auto found = entry.out.find(end.id);
    // Gone, or back already, and maybe out again.
    if (found == entry.out.end() || found->second.until != end.when) continue;
    bring_back(*services_[end.service], found->second, "its time is over", now);
    entry.out.erase(found);
    if (std::ranges::find(changed, end.service) == changed.end()) changed.push_back(end.service);
  }
  return changed;
}

Ejections::SteadyTime Ejections::next() const { return ends_.empty() ? SteadyTime::max() : ends_.top().when; }

}  // namespace telltale::proxy
