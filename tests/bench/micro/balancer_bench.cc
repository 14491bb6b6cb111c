// Cost of Balancer::pick by the number of endpoints, of making balancers, of the hash, and of AffinityTable.
#include "proxy/upstream/affinity_table.h"
#include "proxy/upstream/balancer.h"
#include "proxy/upstream/balancers/hash.h"

#include <benchmark/benchmark.h>

#include <string>
#include <unordered_map>
#include <vector>

namespace {

using namespace telltale;
using conf::BalancePolicy;
using proxy::Balancer;
using proxy::Candidate;

/// Shuffled, as they are once endpoints came and went; weights of 1 to 100.
std::vector<Candidate> candidates(std::size_t count, bool weighted) {
  std::vector<Candidate> all;
  for (std::size_t i = 0; i < count; ++i) {
    const auto index = static_cast<std::uint32_t>(i * 7919 % count);
    const double weight = weighted ? 1 + static_cast<double>(i * 104'729 % 100) : 1;
    all.push_back({index, weight, proxy::mix64(i)});
  }
  return all;
}

std::vector<std::unique_ptr<Balancer>> make(BalancePolicy policy, const std::vector<Candidate>& all,
                                            std::uint64_t seed) {
  conf::Balance balance;
  balance.policy = policy;
  return make_balancers(balance, all, {&seed, 1});
}

/// What the next request brings: never seen before, and not known before the pick before it is done, so that the
/// processor cannot work on several at once. 1.5 ns of what is measured.
std::uint64_t next_hash(std::uint64_t hash, std::uint32_t picked) { return proxy::mix64(hash + picked + 1); }

std::vector<std::uint32_t> random_loads(std::size_t count) {
  std::vector<std::uint32_t> loads(count);
  proxy::RandomSource random(2);
  for (auto& load : loads) load = random.below(10);
  return loads;
}

/// Arguments: endpoints; whether weights differ.
void pick(benchmark::State& state, BalancePolicy policy) {
  const auto all = candidates(static_cast<std::size_t>(state.range(0)), state.range(1) != 0);
  const auto balancer = std::move(make(policy, all, 1).front());
  const auto loads = random_loads(all.size());
  std::uint64_t hash = 1;
  for (auto _ : state) hash = next_hash(hash, balancer->pick({hash, loads, {}}));
  benchmark::DoNotOptimize(hash);
}

/// The same as a request finds it: eight services were picked from meanwhile, so that the nearer caches (1 MB) do not
/// hold what is needed.
void pick_cold(benchmark::State& state, BalancePolicy policy) {
  const auto all = candidates(static_cast<std::size_t>(state.range(0)), state.range(1) != 0);
  std::vector<std::unique_ptr<Balancer>> balancers;
  std::vector<std::vector<std::uint32_t>> loads;
  for (std::uint64_t service = 0; service < 8; ++service) {
    balancers.push_back(std::move(make(policy, all, service).front()));
    loads.push_back(random_loads(all.size()));
  }
  std::uint64_t hash = 1;
  std::size_t service = 0;
  for (auto _ : state) {
    hash = next_hash(hash, balancers[service]->pick({hash, loads[service], {}}));
    if (++service == balancers.size()) service = 0;
  }
  benchmark::DoNotOptimize(hash);
}

/// A request's second try, its first included.
void pick_again(benchmark::State& state, BalancePolicy policy) {
  const auto all = candidates(static_cast<std::size_t>(state.range(0)), state.range(1) != 0);
  const auto balancer = std::move(make(policy, all, 1).front());
  const auto loads = random_loads(all.size());
  std::uint64_t hash = 1;
  for (auto _ : state) {
    const std::uint32_t failed = balancer->pick({hash, loads, {}});
    hash = next_hash(hash, balancer->pick({hash, loads, {&failed, 1}}));
  }
  benchmark::DoNotOptimize(hash);
}

/// For four workers: what the control thread does when who may be chosen changes.
void make_four(benchmark::State& state, BalancePolicy policy) {
  const auto all = candidates(static_cast<std::size_t>(state.range(0)), state.range(1) != 0);
  conf::Balance balance;
  balance.policy = policy;
  const std::uint64_t seeds[] = {1, 2, 3, 4};
  for (auto _ : state) benchmark::DoNotOptimize(make_balancers(balance, all, seeds));
}

const int registered = [] {
  struct Named {
    const char* name;
    BalancePolicy policy;
  };
  constexpr Named all[] = {{"round_robin", BalancePolicy::round_robin},
                           {"least_request", BalancePolicy::least_request},
                           {"random", BalancePolicy::random},
                           {"maglev", BalancePolicy::maglev},
                           {"ring_hash", BalancePolicy::ring_hash}};
  for (const auto& [name, policy] : all) {
    const auto add = [&](const char* what, auto* measure) {
      return benchmark::RegisterBenchmark((std::string(what) + "/" + name).c_str(), measure, policy);
    };
    add("pick", &pick)->ArgsProduct({{10, 10'000, 100'000}, {0, 1}});
    add("pick_cold", &pick_cold)->ArgsProduct({{10'000}, {0, 1}});
    add("pick_again", &pick_again)->ArgsProduct({{10'000}, {0, 1}});
    add("make_balancers", &make_four)->ArgsProduct({{10, 10'000}, {0, 1}})->Unit(benchmark::kMicrosecond);
  }
  return 0;
}();

void balance_hash(benchmark::State& state) {
  std::string octets(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(octets.data());
    benchmark::ClobberMemory();
    benchmark::DoNotOptimize(proxy::balance_hash(octets));
  }
}
BENCHMARK(balance_hash)->Arg(4)->Arg(16)->Arg(36)->Arg(64);

using Time = proxy::AffinityTable::Clock::time_point;

/// A table that is half full; each client comes again now and then.
void affinity_find(benchmark::State& state) {
  proxy::AffinityTable table(65536, std::chrono::hours(3));
  std::vector<std::uint64_t> clients(32768);
  proxy::RandomSource random(3);
  for (auto& client : clients) table.put(client = random.next(), random.below(100), Time{});
  std::uint64_t i = 0;
  for (auto _ : state) {
    const Time now = Time{} + std::chrono::milliseconds(i / 10);  // 10,000 requests a second
    benchmark::DoNotOptimize(table.find(clients[proxy::mix64(i++) % clients.size()], now));
  }
}
BENCHMARK(affinity_find);

/// From what find() says to where the endpoint is: the second half of a pick for a client that is known.
void affinity_index(benchmark::State& state) {
  std::unordered_map<std::uint32_t, std::uint32_t> by_ticket;
  const auto count = static_cast<std::uint32_t>(state.range(0));
  for (std::uint32_t i = 0; i < count; ++i) by_ticket.emplace(i + 1, i);
  std::uint64_t hash = 1;
  for (auto _ : state) hash = next_hash(hash, by_ticket.find(static_cast<std::uint32_t>(hash % count + 1))->second);
  benchmark::DoNotOptimize(hash);
}
BENCHMARK(affinity_index)->Arg(10)->Arg(10'000);

/// A client that was never seen before, in a table that is full.
void affinity_put(benchmark::State& state) {
  proxy::AffinityTable table(65536, std::chrono::hours(3));
  std::uint64_t i = 0;
  for (auto _ : state) {
    const std::uint64_t client = proxy::mix64(i++);
    const Time now = Time{} + std::chrono::milliseconds(i / 10);
    if (!table.find(client, now)) benchmark::DoNotOptimize(table.put(client, 1, now));
  }
}
BENCHMARK(affinity_put);

}  // namespace
