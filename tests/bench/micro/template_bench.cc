#include "protocol/forwarding/template.h"
#include "protocol/proxy_protocol/serializer.h"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace telltale::forwarding {
namespace {

struct Scene {
  const char* name;
  const char* text;
};
constexpr Scene scenes[] = {
    {"literal", "edge-1"},
    {"1_variable", "${client.address}"},
    {"3_variables", "${client.address}:${client.port} via ${peer.address}"},
    {"3_variables_with_request_id", "${client.address} ${request.host} ${request.id}"},
    {"tlv", "${tlv.aws_vpce_id}"},
};

// What one header of `propagate.headers` costs a request.
void append_template(benchmark::State& state) {
  const Scene& scene = scenes[state.range(0)];
  state.SetLabel(scene.name);
  std::vector<TemplateFault> faults;
  const Template compiled(scene.text, faults);
  if (!faults.empty()) return state.SkipWithError("the template is wrong");
  PeerInfo peer;
  peer.socket_peer = net::IpPort{net::IpAddress::v4(10, 0, 0, 1), 52110};
  peer.socket_local = net::IpPort{net::IpAddress::v4(203, 0, 113, 1), 443};
  proxy_protocol::append_tlv(peer.tlvs, proxy_protocol::TlvType::authority, "shop.example.com");
  proxy_protocol::append_tlv(peer.tlvs, proxy_protocol::TlvType{0xea}, std::string("\x01vpce-08d2bf15fac5001c9", 23));
  ClientAddress client;
  client.address = net::IpAddress::v4(198, 51, 100, 79);
  client.port = 52110;
  RequestFacts facts{peer, client, "http", "shop.example.com:8080"};
  facts.id_high = 0x0123456789abcdef;
  facts.id_low = 0xfedcba9876543210;
  std::string out;
  for (auto _ : state) {
    out.clear();
    benchmark::DoNotOptimize(compiled.append_field_value(out, facts));
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(append_template)->DenseRange(0, std::size(scenes) - 1);

}  // namespace
}  // namespace telltale::forwarding
