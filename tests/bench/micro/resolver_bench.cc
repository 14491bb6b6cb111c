#include "protocol/forwarding/client_address.h"
#include "protocol/forwarding/propagate.h"
#include "protocol/http/header_block.h"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace telltale::forwarding {
namespace {

HeaderTrust trust_in(HeaderTrust::Kind kind, const char* name) {
  HeaderTrust trust;
  trust.kind = kind;
  trust.field = http::field_id(name);
  trust.name = name;
  trust.trusted = net::CidrSet({*net::Cidr::parse("10.0.0.0/8"), *net::Cidr::parse("172.16.0.0/12"),
                                *net::Cidr::parse("192.168.0.0/16"), *net::Cidr::parse("fd00::/8")});
  return trust;
}

PeerInfo load_balancer() {
  PeerInfo peer;
  peer.socket_peer = net::IpPort{net::IpAddress::v4(10, 0, 0, 1), 52110};
  peer.socket_local = net::IpPort{net::IpAddress::v4(203, 0, 113, 1), 443};
  return peer;
}

// A browser's request as a load balancer passes it on.
http::HeaderBlock request_fields(std::string_view name, std::string_view value) {
  http::HeaderBlock fields;
  fields.append("Host", "shop.example.com");
  fields.append("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0");
  fields.append("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
  fields.append("Accept-Language", "en-US,en;q=0.5");
  fields.append("Accept-Encoding", "gzip, deflate, br");
  fields.append("Cookie", "session=0123456789abcdef0123456789abcdef");
  fields.append("X-Forwarded-Proto", "https");
  if (!name.empty()) fields.append(name, value);
  return fields;
}

struct Scene {
  const char* name;
  HeaderTrust::Kind kind;
  const char* header;
  const char* value;
};
constexpr Scene scenes[] = {
    {"no_header", HeaderTrust::Kind::x_forwarded_for, "x-forwarded-for", nullptr},
    {"xff_1_hop", HeaderTrust::Kind::x_forwarded_for, "x-forwarded-for", "198.51.100.79"},
    {"xff_3_hops", HeaderTrust::Kind::x_forwarded_for, "x-forwarded-for", "198.51.100.79, 10.1.2.3, 10.4.5.6"},
    {"xff_3_hops_v6", HeaderTrust::Kind::x_forwarded_for, "x-forwarded-for",
     "2001:db8:1:2:3:4:5:6, fd00:1:2:3::4, fd00:1:2:3::5"},
    {"forwarded_3_hops", HeaderTrust::Kind::forwarded, "forwarded",
     "for=198.51.100.79;proto=https, for=10.1.2.3, for=\"10.4.5.6:80\";host=shop.example.com"},
    {"single_address", HeaderTrust::Kind::single_address, "cf-connecting-ip", "198.51.100.79"},
};

void resolve(benchmark::State& state) {
  const Scene& scene = scenes[state.range(0)];
  state.SetLabel(scene.name);
  const HeaderTrust trust = trust_in(scene.kind, scene.header);
  const PeerInfo peer = load_balancer();
  const http::HeaderBlock fields = scene.value ? request_fields(scene.header, scene.value) : request_fields({}, {});
  ClientAddress client;
  for (auto _ : state) {
    benchmark::DoNotOptimize(resolve_client_address(peer, fields, trust, client));
    benchmark::DoNotOptimize(client.address);
  }
}
BENCHMARK(resolve)->DenseRange(0, std::size(scenes) - 1);

// Everything that a request's head costs for identity: which fields stay, and what is written.
void sanitise_and_propagate(benchmark::State& state) {
  const Scene& scene = scenes[state.range(0)];
  state.SetLabel(scene.name);
  const HeaderTrust trust = trust_in(scene.kind, scene.header);
  const PeerInfo peer = load_balancer();
  const http::HeaderBlock fields = scene.value ? request_fields(scene.header, scene.value) : request_fields({}, {});
  ClientAddress client;
  resolve_client_address(peer, fields, trust, client);
  Propagate propagate;
  if (scene.kind == HeaderTrust::Kind::forwarded) propagate.forwarded.mode = ListMode::append;
  std::string out;
  for (auto _ : state) {
    out.clear();
    std::size_t kept = 0;
    for (const http::HeaderBlock::Field field : fields) {
      kept += keeps_field(field.id, field.name, trust, client, propagate);
    }
    append_identity_fields(out, fields, trust, propagate, {peer, client, "https", "shop.example.com"});
    benchmark::DoNotOptimize(kept);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(sanitise_and_propagate)->DenseRange(0, std::size(scenes) - 1);

void append_eight_fields(benchmark::State& state) {
  const http::HeaderBlock source = request_fields("X-Forwarded-For", "198.51.100.79");
  http::HeaderBlock block;
  for (auto _ : state) {
    block.clear();
    for (const http::HeaderBlock::Field field : source) block.append(field.name, field.value);
    benchmark::DoNotOptimize(block.size());
  }
}
BENCHMARK(append_eight_fields);

}  // namespace
}  // namespace telltale::forwarding
