#include "protocol/tls/client_hello.h"
#include "tests/unit/protocol/tls/captured_hellos.h"

#include <benchmark/benchmark.h>

#include <string>

namespace telltale::tls {
namespace {

void peek_repeatedly(benchmark::State& state, const std::string& octets) {
  ClientHelloPeek peek;
  for (auto _ : state) {
    peek.reset();
    if (peek.scan(octets).status != ClientHelloPeek::Status::done) return state.SkipWithError("not a ClientHello");
    benchmark::DoNotOptimize(peek.hello());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(octets.size()));
}

// Target: at most 1 µs. 517 octets, as curl sends them.
void client_hello_peek(benchmark::State& state) { peek_repeatedly(state, captured::octets(captured::curl_http2)); }
BENCHMARK(client_hello_peek);

// The same message in records of `range` octets, which is gathered first.
void client_hello_peek_in_records(benchmark::State& state) {
  const std::string whole = captured::octets(captured::curl_http2).substr(5);
  const auto size = static_cast<std::size_t>(state.range(0));
  std::string octets;
  for (std::size_t at = 0; at < whole.size(); at += size) {
    const std::string payload = whole.substr(at, size);
    octets += {22, 3, 1, static_cast<char>(payload.size() >> 8), static_cast<char>(payload.size())};
    octets += payload;
  }
  peek_repeatedly(state, octets);
}
BENCHMARK(client_hello_peek_in_records)->Arg(256)->Arg(1);

}  // namespace
}  // namespace telltale::tls
