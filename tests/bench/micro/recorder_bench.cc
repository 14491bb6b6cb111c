// What keeping a request for /explain costs the worker.
#include "proxy/exchange/request_recorder.h"

#include <benchmark/benchmark.h>

namespace telltale::proxy {
namespace {

http1::RequestHead usual_head(const char* forwarded_for) {
  http1::RequestHead head;
  head.method_text = "GET";
  head.authority = "shop.example.com";
  head.target = "/api/items/4711?page=2";
  head.fields.append("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0");
  head.fields.append("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
  head.fields.append("Accept-Encoding", "gzip, deflate, br");
  head.fields.append("Cookie", "session=0123456789abcdef0123456789abcdef");
  if (forwarded_for != nullptr) head.fields.append("X-Forwarded-For", forwarded_for);
  return head;
}

void record_request(benchmark::State& state) {
  const auto head = usual_head(state.range(0) != 0 ? "198.51.100.79, 10.1.2.3, 10.4.5.6" : nullptr);
  forwarding::PeerInfo peer;
  peer.socket_peer = peer.proxy_source = net::IpPort{net::IpAddress::v4(198, 51, 100, 79), 52110};
  const forwarding::HeaderTrust trust;
  const auto snapshot = std::make_shared<const Snapshot>();
  RequestRecorder recorder(256);
  for (auto _ : state) {
    RecordedRequest& record = recorder.next();
    record.time = std::chrono::system_clock::now();
    if (record.snapshot != snapshot) record.snapshot = snapshot;
    record.take_peer(peer);
    record.take_head(head, trust);
    benchmark::DoNotOptimize(record);
  }
}
BENCHMARK(record_request)->Arg(0)->Arg(1);

}  // namespace
}  // namespace telltale::proxy
