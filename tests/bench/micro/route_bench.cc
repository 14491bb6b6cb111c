// Cost of RouteTable::match by the number of hosts, of labels, and of paths: none of them may make it grow.
#include "proxy/routing/route_table.h"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace {

using telltale::conf::Route;
using telltale::proxy::RouteTable;

Route route(std::string host, std::string path) {
  Route r;
  r.match.host = std::move(host);
  r.match.path = std::move(path);
  return r;
}

std::vector<Route> hosts(std::size_t count) {
  std::vector<Route> routes;
  for (std::size_t i = 0; i < count; ++i) {
    routes.push_back(route("shop-" + std::to_string(i) + ".example.com", "/"));
    routes.push_back(route("*.tenant-" + std::to_string(i) + ".example.com", "/api"));
  }
  return routes;
}

void match_all(benchmark::State& state, const RouteTable& table, const std::vector<std::string>& names,
               std::string_view path) {
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(table.match(names[i], path));
    if (++i == names.size()) i = 0;
  }
}

void exact_host(benchmark::State& state) {
  const auto routes = hosts(static_cast<std::size_t>(state.range(0)));
  const RouteTable table(routes);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < routes.size() / 2; ++i) names.push_back("shop-" + std::to_string(i) + ".example.com");
  match_all(state, table, names, "/some/item?");
}
BENCHMARK(exact_host)->Arg(1)->Arg(100)->Arg(10'000)->Arg(100'000);

void wildcard_host(benchmark::State& state) {
  const auto routes = hosts(static_cast<std::size_t>(state.range(0)));
  const RouteTable table(routes);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < routes.size() / 2; ++i)
    names.push_back("a.b.tenant-" + std::to_string(i) + ".example.com");
  match_all(state, table, names, "/api/item");
}
BENCHMARK(wildcard_host)->Arg(1)->Arg(100)->Arg(10'000)->Arg(100'000);

void unknown_host(benchmark::State& state) {
  const auto routes = hosts(static_cast<std::size_t>(state.range(0)));
  const RouteTable table(routes);
  match_all(state, table, {"nowhere.example.org"}, "/");
}
BENCHMARK(unknown_host)->Arg(1)->Arg(100'000);

void paths_of_one_host(benchmark::State& state) {
  std::vector<Route> routes;
  for (std::int64_t i = 0; i < state.range(0); ++i) routes.push_back(route("", "/service/" + std::to_string(i)));
  const RouteTable table(routes);
  match_all(state, table, {"shop.example.com"}, "/service/0/some/item/of/it");
}
BENCHMARK(paths_of_one_host)->Arg(1)->Arg(100)->Arg(10'000);

void build(benchmark::State& state) {
  const auto routes = hosts(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(RouteTable(routes));
}
BENCHMARK(build)->Arg(10'000)->Unit(benchmark::kMillisecond);

}  // namespace
