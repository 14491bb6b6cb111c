#include "proxy/upstream/local_service.h"

#include <algorithm>
#include <utility>

namespace telltale::proxy {
namespace {

std::uint64_t affinity_key(const net::IpAddress& client) {
  const auto octets = client.octets();
  return balance_hash({reinterpret_cast<const char*>(octets.data()), octets.size()});
}

bool contains(std::span<const std::uint32_t> indexes, std::uint32_t index) {
  return std::ranges::find(indexes, index) != indexes.end();
}

bool is_eligible(const ServiceUpdate::ByTraffic& choice, std::uint32_t index) {
  return index < choice.eligible->size() && (*choice.eligible)[index];
}

}  // namespace

LocalService::LocalService(EventLoop& loop, std::shared_ptr<Service> service, ServiceMetrics& metrics)
    : service_(std::move(service)), metrics_(metrics) {
  const auto& limits = conf().circuit_breakers;
  if (limits.max_connections == 0) return;
  line_ = std::make_unique<ConnectionLine>(loop, limits, service_->breaker(), service_->lines(), metrics_);
}

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
  set_ = std::move(update.set);
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
  const auto idle = pick.prefers_idle && !affine ? pick_idle(pick, choice) : std::nullopt;
  const std::uint32_t index = idle ? *idle : affine ? pick_affine(pick, choice) : balance(pick, choice);
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

/// Of the endpoint if it is still there, and may be chosen.
std::optional<std::uint32_t> LocalService::eligible_index(AffinityTable::Ticket ticket,
                                                          const ServiceUpdate::ByTraffic& choice) const {
  const auto found = set_->by_ticket.find(ticket);
  if (found == set_->by_ticket.end() || !is_eligible(choice, found->second)) return std::nullopt;
  return found->second;
}

/// The client's endpoint while it may be chosen. A try that failed there goes elsewhere, and the client stays its own.
std::uint32_t LocalService::pick_affine(const Pick& pick, const ServiceUpdate::ByTraffic& choice) const {
  AffinityTable& table = *service_->affinity();
  const std::uint64_t key = affinity_key(*pick.client);
  const auto known = table.find(key, pick.now);
  const auto stays = known ? eligible_index(*known, choice) : std::nullopt;
  if (stays && !contains(pick.tried, *stays)) return *stays;
  const std::uint32_t chosen = balance(pick, choice);
  if (stays) return chosen;
  const auto ticket = AffinityTable::ticket_of(endpoints_[chosen]->endpoint->id);
  const auto stands = known ? table.replace(key, *known, ticket, pick.now) : table.put(key, ticket, pick.now);
  return eligible_index(stands, choice).value_or(chosen);
}

/// Where the connection leads that became idle last. Else a limit on connections, with fewer of them than endpoints,
/// would make a new connection of nearly every request.
std::optional<std::uint32_t> LocalService::pick_idle(const Pick& pick, const ServiceUpdate::ByTraffic& choice) const {
  using enum conf::BalancePolicy;
  if (conf().balance.policy == maglev || conf().balance.policy == ring_hash) return std::nullopt;
  const UpstreamConnection* idle = line_ ? line_->newest_idle() : nullptr;
  if (idle == nullptr || !idle->identity.empty()) return std::nullopt;
  if (!is_eligible(choice, idle->endpoint) || contains(pick.tried, idle->endpoint)) return std::nullopt;
  return idle->endpoint;
}

bool LocalService::has_other(TrafficKind traffic, std::span<const std::uint32_t> tried) const {
  const auto& choice = choice_for(traffic);
  if (choice.balancer == nullptr) return false;
  for (std::uint32_t i = 0; i < choice.eligible->size(); ++i) {
    if ((*choice.eligible)[i] && !contains(tried, i)) return true;
  }
  return false;
}

RetryRefusal LocalService::admit_retry(RetryPermit& permit, const conf::Retries& retries, Sent sent) {
  // One request is one retry, however often it is tried.
  const bool budgeted = sent == Sent::something && permit.active_ == nullptr;
  if (budgeted && !within_budget(retries, metrics_.retries_active.value(), metrics_.requests_active.value())) {
    return RetryRefusal::budget;
  }
  const std::uint32_t limit = conf().circuit_breakers.max_retries;
  if (limit != 0 && !permit.shared_ && !permit.shared_.take(service_->breaker().retries, limit)) {
    return RetryRefusal::max_retries;
  }
  if (budgeted) {
    permit.active_ = &metrics_.retries_active;
    permit.active_->add();
  }
  return RetryRefusal::none;
}

std::unique_ptr<UpstreamConnection> LocalService::connection_to(LocalEndpoint& endpoint, std::string&& identity,
                                                                Turn& turn, Reuse reuse) {
  if (line_ && line_->must_wait(turn)) return nullptr;
  if (reuse == Reuse::allowed) {
    if (auto idle = endpoint.pool.acquire(identity)) {
      turn.reset();
      return idle;
    }
  }
  auto connection = std::make_unique<UpstreamConnection>();
  if (line_ && !line_->take(connection->slot, turn)) return nullptr;
  connection->identity = std::move(identity);
  connection->endpoint = endpoint.endpoint->index;
  return connection;
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
