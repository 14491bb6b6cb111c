#include "protocol/assertion/assertion.h"

#include <benchmark/benchmark.h>

#include <string>

namespace telltale::assertion {
namespace {

Keyring keyring() {
  std::string problem;
  return Keyring(*KeySet::parse("2026-11 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", problem));
}
const net::IpPort client{net::IpAddress::v4(198, 51, 100, 7), 52110};
constexpr std::string_view authority = "shop.example.com";
constexpr std::int64_t now = 1'763'971'200;

void assertion_sign(benchmark::State& state) {
  Keyring keys = keyring();
  std::string out;
  for (auto _ : state) {
    out.clear();
    benchmark::DoNotOptimize(append_signed(out, keys, now, client, authority));
  }
}
BENCHMARK(assertion_sign);

void assertion_parse_and_verify(benchmark::State& state) {
  Keyring keys = keyring();
  std::string text;
  append_signed(text, keys, now, client, authority);
  for (auto _ : state) {
    const auto parsed = parse(text);
    benchmark::DoNotOptimize(verify(*parsed, keys, now, {}, authority));
  }
}
BENCHMARK(assertion_parse_and_verify);

// What a forged one costs us: the same work, then no.
void assertion_refuse_forged(benchmark::State& state) {
  Keyring keys = keyring();
  std::string text;
  append_signed(text, keys, now, client, authority);
  text.replace(text.find("198"), 3, "199");
  for (auto _ : state) {
    const auto parsed = parse(text);
    benchmark::DoNotOptimize(verify(*parsed, keys, now, {}, authority));
  }
}
BENCHMARK(assertion_refuse_forged);

}  // namespace
}  // namespace telltale::assertion
