#include "proxy/upstream/local_service.h"

#include <algorithm>
#include <utility>

namespace telltale::proxy {
namespace {

std::uint64_t affinity_key(const net::IpAddress& client) {
  const auto octets = client.octets();
  return balance_hash({reinterpret_cast<const char*>(octets.data()), octets.size()});
}

}  // namespace

void LocalService::update(ServiceUpdate update) {
  endpoints_.resize(std::max<std::size_t>(endpoints_.size(), update.set->index_limit));
  loads_.resize(endpoints_.size());
  std::vector<std::unique_ptr<LocalEndpoint>> before = std::exchange(endpoints_, {});
  endpoints_.resize(before.size());
  for (const auto& endpoint : update.set->endpoints) {
    auto& old = before[endpoint->index];
    auto& place = endpoints_[endpoint->index];
    if (old != nullptr && old->endpoint->id == endpoint->id) {
      place = std::move(old);
      place->endpoint = endpoint;
    } else {
      place = std::make_unique<LocalEndpoint>(endpoint, conf().pool, metrics_);
    }
  }
  for (auto& left : before) {
    if (left == nullptr) continue;
    left->gone = true;
    left->pool.close_all();
    if (left->users > 0) gone_.push_back(std::move(left));
  }
  for (std::size_t i = 0; i < endpoints_.size(); ++i) loads_[i] = endpoints_[i] ? endpoints_[i]->users : 0;
  by_traffic_ = std::move(update.by_traffic);
}

const ServiceUpdate::ByTraffic& LocalService::choice_for(TrafficKind traffic) const {
  const bool apart = conf().internal_traffic_policy != conf().external_traffic_policy;
  return by_traffic_[apart ? static_cast<std::size_t>(traffic) : 0];
}

LocalEndpoint* LocalService::enter(const Pick& pick) {
  const auto& choice = choice_for(pick.traffic);
  if (choice.balancer == nullptr) return nullptr;
  const bool affine = service_->affinity() != nullptr && pick.client != nullptr;
  const std::uint32_t index = affine ? pick_affine(pick, choice) : balance(pick, choice);
  LocalEndpoint& endpoint = *endpoints_[index];
  loads_[index] = ++endpoint.users;
  return &endpoint;
}

void LocalService::leave(LocalEndpoint& endpoint) {
  --endpoint.users;
  if (!endpoint.gone) {
    loads_[endpoint.endpoint->index] = endpoint.users;
  } else if (endpoint.users == 0) {
    std::erase_if(gone_, [&](const auto& each) { return each.get() == &endpoint; });
  }
}

std::uint32_t LocalService::balance(const Pick& pick, const ServiceUpdate::ByTraffic& choice) const {
  return choice.balancer->pick({pick.hash, loads_, pick.tried});
}

/// The client's endpoint while it may be chosen. A try that failed there goes elsewhere, and the client stays its own.
std::uint32_t LocalService::pick_affine(const Pick& pick, const ServiceUpdate::ByTraffic& choice) const {
  const auto may_be_chosen = [&](std::uint32_t index) {
    return index < choice.eligible->size() && (*choice.eligible)[index];
  };
  AffinityTable& table = *service_->affinity();
  const std::uint64_t key = affinity_key(*pick.client);
  const auto known = table.find(key, pick.now);
  const bool stays = known && may_be_chosen(*known);
  if (stays && std::ranges::find(pick.tried, *known) == pick.tried.end()) return *known;
  const std::uint32_t chosen = balance(pick, choice);
  if (stays) return chosen;
  const std::uint32_t stands = known ? table.replace(key, *known, chosen, pick.now) : table.put(key, chosen, pick.now);
  return may_be_chosen(stands) ? stands : chosen;
}

void LocalService::succeeded(const LocalEndpoint& endpoint) {
  if (!conf().ejection) return;
  // Nearly always 0 already: then the line that the workers share is only read.
  auto& failures = endpoint.endpoint->passive->failures;
  if (failures.load(std::memory_order_relaxed) != 0) failures.store(0, std::memory_order_relaxed);
}

void LocalService::failed(const LocalEndpoint& endpoint, std::string_view why) {
  const auto& ejection = conf().ejection;
  if (!ejection) return;
  const auto before = endpoint.endpoint->passive->failures.fetch_add(1, std::memory_order_relaxed);
  if (before + 1 == ejection->failures) service_->report_failing(endpoint.endpoint->id, why);
}

void LocalService::close_idle() {
  for (const auto& endpoint : endpoints_) {
    if (endpoint != nullptr) endpoint->pool.close_all();
  }
}

}  // namespace telltale::proxy
