// Cost of Balancer::pick by the number of endpoints, and of what a change of health brings with it.
#include "proxy/upstream/balancer.h"
#include "proxy/upstream/service_builder.h"

#include <benchmark/benchmark.h>

namespace {

using namespace telltale;
using proxy::Balancer;
using proxy::Endpoint;

proxy::ServiceSet service(std::size_t endpoints, bool equal_weights) {
  conf::Service conf;
  conf.name = "bench";
  for (std::size_t i = 0; i < endpoints; ++i) {
    const auto address = net::IpAddress::v4(10, static_cast<std::uint8_t>(i >> 16), static_cast<std::uint8_t>(i >> 8),
                                            static_cast<std::uint8_t>(i));
    const auto weight = equal_weights ? 1u : 1u + static_cast<std::uint32_t>(i * 7919 % 100);
    conf.endpoints.push_back({{net::IpPort{address, 80}, {}}, "", weight});
  }
  return proxy::ServiceBuilder::build({&conf, 1});
}

void pick(benchmark::State& state, bool equal_weights) {
  const auto set = service(static_cast<std::size_t>(state.range(0)), equal_weights);
  const auto balancer = proxy::make_balancer(*set.services[0], 1);
  for (auto _ : state) benchmark::DoNotOptimize(balancer->pick({}));
}
void pick_equal(benchmark::State& state) { pick(state, true); }
void pick_weighted(benchmark::State& state) { pick(state, false); }
BENCHMARK(pick_equal)->Arg(1)->Arg(10)->Arg(1'000)->Arg(10'000)->Arg(100'000);
BENCHMARK(pick_weighted)->Arg(2)->Arg(10)->Arg(1'000)->Arg(10'000)->Arg(100'000);

void pick_after_a_failure(benchmark::State& state) {
  const auto set = service(static_cast<std::size_t>(state.range(0)), false);
  const auto balancer = proxy::make_balancer(*set.services[0], 1);
  for (auto _ : state) {
    const Endpoint* const tried[] = {balancer->pick({})};
    benchmark::DoNotOptimize(balancer->pick(tried));
  }
}
BENCHMARK(pick_after_a_failure)->Arg(10)->Arg(10'000);

void pick_after_a_change(benchmark::State& state) {
  const auto set = service(static_cast<std::size_t>(state.range(0)), false);
  const auto balancer = proxy::make_balancer(*set.services[0], 1);
  for (auto _ : state) {
    set.services[0]->bump_version();
    benchmark::DoNotOptimize(balancer->pick({}));
  }
}
BENCHMARK(pick_after_a_change)->Arg(10)->Arg(10'000)->Unit(benchmark::kMicrosecond);

}  // namespace
