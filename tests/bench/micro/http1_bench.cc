#include "protocol/http1/chunked.h"
#include "protocol/http1/parser.h"
#include "protocol/http1/serializer.h"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <string>
#include <string_view>

namespace {

using namespace telltale::http1;

/// What a load generator sends: the head of performance.md's keep-alive GET.
constexpr std::string_view small_request =
    "GET /index.html HTTP/1.1\r\nHost: shop.example.com:8080\r\nUser-Agent: wrk/4.2.0\r\nAccept: */*\r\n"
    "Accept-Encoding: gzip, deflate\r\nX-Request-Id: 5f2c1a9e77d04b0f\r\nConnection: keep-alive\r\n\r\n";

constexpr std::string_view browser_request =
    "GET /products/list?category=shoes&page=2&sort=price HTTP/1.1\r\nHost: shop.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    "Referer: https://shop.example.com/products/list?category=shoes&page=1\r\nConnection: keep-alive\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=1; _ga=GA1.2.1234567890.1700000000\r\n"
    "Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Site: same-origin\r\nSec-Fetch-User: ?1\r\nPriority: u=0, i\r\n\r\n";

constexpr std::string_view small_response =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Tue, 01 Jul 2025 10:00:00 GMT\r\nContent-Type: text/plain\r\n"
    "Content-Length: 128\r\nLast-Modified: Tue, 01 Jul 2025 09:00:00 GMT\r\nConnection: keep-alive\r\n\r\n";

void parse_request(benchmark::State& state, std::string_view octets) {
  RequestParser parser;
  RequestHead head;
  for (auto _ : state) {
    parser.start(head, {});
    if (parser.feed(octets).status != Status::complete) state.SkipWithError("refused");
    benchmark::DoNotOptimize(head.fields);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * octets.size()));
}
BENCHMARK_CAPTURE(parse_request, small, small_request);
BENCHMARK_CAPTURE(parse_request, browser, browser_request);

void parse_response(benchmark::State& state) {
  ResponseParser parser;
  ResponseHead head;
  for (auto _ : state) {
    parser.start(head, {}, {});
    if (parser.feed(small_response).status != Status::complete) state.SkipWithError("refused");
    benchmark::DoNotOptimize(head.fields);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * small_response.size()));
}
BENCHMARK(parse_response);

void forward_request(benchmark::State& state, std::string_view octets) {
  RequestParser parser;
  RequestHead head;
  std::string out;
  for (auto _ : state) {
    parser.start(head, {});
    if (parser.feed(octets).status != Status::complete) state.SkipWithError("refused");
    out.clear();
    append_request_line(out, head);
    for (std::size_t i = 0; i < head.fields.size(); ++i) {
      const auto field = head.fields[i];
      if (field.id == telltale::http::FieldId::host || is_hop_by_hop(head.fields, field.id, field.name)) continue;
      append_field(out, field.name, field.value);
    }
    append_framing(out, head.body, false);
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK_CAPTURE(forward_request, small, small_request);
BENCHMARK_CAPTURE(forward_request, browser, browser_request);

void validate_chunks(benchmark::State& state) {
  const std::string data(static_cast<std::size_t>(state.range(0)), 'x');
  char size[16];
  std::snprintf(size, sizeof size, "%zx", data.size());
  std::string octets;
  for (int i = 0; i < 16; ++i) octets += std::string(size) + "\r\n" + data + "\r\n";
  octets += "0\r\n\r\n";
  ChunkedDecoder decoder;
  for (auto _ : state) {
    decoder.reset();
    if (decoder.feed(octets).status != Status::complete) state.SkipWithError("refused");
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * octets.size()));
}
BENCHMARK(validate_chunks)->Arg(16)->Arg(1024)->Arg(16384);

}  // namespace
