#include "protocol/net/ip_address.h"
#include "protocol/proxy_protocol/parser.h"
#include "protocol/proxy_protocol/serializer.h"
#include "protocol/proxy_protocol/tlv_names.h"

#include <benchmark/benchmark.h>

#include <string>

namespace {

using namespace telltale;
using namespace telltale::proxy_protocol;

Header sample(Version version, bool with_tlvs) {
  Header header;
  header.version = version;
  header.command = Command::proxy;
  header.family = Family::inet;
  header.transport = Transport::stream;
  header.source = net::parse_ip_port("198.51.100.79:52110");
  header.destination = net::parse_ip_port("203.0.113.140:80");
  if (!with_tlvs) return header;
  append_tlv(header.tlvs, TlvType::alpn, "http/1.1");
  append_tlv(header.tlvs, TlvType::authority, "shop.example.com");
  append_tlv(header.tlvs, TlvType::unique_id, "0123456789abcdef");
  append_tlv(header.tlvs, TlvType{0xea}, "\x01vpce-08d2bf15fac5001c9");
  append_tlv(header.tlvs, TlvType::noop, "");
  return header;
}

void parse_repeatedly(benchmark::State& state, const std::string& wire) {
  Parser parser;
  for (auto _ : state) {
    parser.reset();
    const auto outcome = parser.feed(wire);
    if (outcome.status != Parser::Status::complete) return state.SkipWithError("not a header");
    benchmark::DoNotOptimize(parser.header());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(wire.size()));
}

// Target: at most 200 ns.
void BM_ProxyV2ParseFiveTlvs(benchmark::State& state) {
  std::string wire;
  serialize(sample(Version::v2, true), wire);
  parse_repeatedly(state, wire);
}
BENCHMARK(BM_ProxyV2ParseFiveTlvs);

// The same with an SSL TLV among the five, and with the three things that a route and an access log ask of them.
std::string header_with_ssl() {
  Header header = sample(Version::v2, false);
  append_tlv(header.tlvs, TlvType::alpn, "http/1.1");
  append_tlv(header.tlvs, TlvType::authority, "shop.example.com");
  append_tlv(header.tlvs, TlvType::unique_id, "0123456789abcdef");
  std::string ssl{"\7\0\0\0\0", ssl_head_size};
  append_tlv(ssl, TlvType{0x21}, "TLSv1.3");
  append_tlv(ssl, TlvType{0x22}, "client.example.com");
  append_tlv(ssl, TlvType{0x23}, "TLS_AES_128_GCM_SHA256");
  append_tlv(ssl, TlvType{0x24}, "RSA-SHA256");
  append_tlv(ssl, TlvType{0x25}, "RSA2048");
  append_tlv(header.tlvs, TlvType::ssl, ssl);
  append_tlv(header.tlvs, TlvType{0xea}, "\x01vpce-08d2bf15fac5001c9");
  std::string wire;
  serialize(header, wire);
  return wire;
}

void BM_ProxyV2ParseFiveTlvsWithSsl(benchmark::State& state) { parse_repeatedly(state, header_with_ssl()); }
BENCHMARK(BM_ProxyV2ParseFiveTlvsWithSsl);

void look_up(benchmark::State& state, const char* name, bool as_text) {
  Parser parser;
  parser.feed(header_with_ssl());
  const std::string& section = parser.header().tlvs;
  const TlvSelector selector = parse_tlv_selector(name).value();
  std::string text;
  for (auto _ : state) {
    text.clear();
    if (as_text) benchmark::DoNotOptimize(append_tlv_text(text, section, selector));
    if (!as_text) benchmark::DoNotOptimize(find_tlv(section, selector));
  }
}
void BM_TlvFindVpceId(benchmark::State& state) { look_up(state, "aws_vpce_id", false); }
BENCHMARK(BM_TlvFindVpceId);
void BM_TlvFindSslCn(benchmark::State& state) { look_up(state, "ssl_cn", false); }
BENCHMARK(BM_TlvFindSslCn);
void BM_TlvTextOfSslCn(benchmark::State& state) { look_up(state, "ssl_cn", true); }
BENCHMARK(BM_TlvTextOfSslCn);

void BM_ProxyV2ParseFiveTlvsAndCrc32c(benchmark::State& state) {
  std::string wire;
  serialize(sample(Version::v2, true), wire, true);
  parse_repeatedly(state, wire);
}
BENCHMARK(BM_ProxyV2ParseFiveTlvsAndCrc32c);

void BM_ProxyV2Parse(benchmark::State& state) {
  std::string wire;
  serialize(sample(Version::v2, false), wire);
  parse_repeatedly(state, wire);
}
BENCHMARK(BM_ProxyV2Parse);

void BM_ProxyV1Parse(benchmark::State& state) {
  std::string wire;
  serialize(sample(Version::v1, false), wire);
  parse_repeatedly(state, wire);
}
BENCHMARK(BM_ProxyV1Parse);

void serialize_repeatedly(benchmark::State& state, const Header& header, bool with_crc32c) {
  std::string wire;
  for (auto _ : state) {
    wire.clear();
    benchmark::DoNotOptimize(serialize(header, wire, with_crc32c));
    benchmark::DoNotOptimize(wire.data());
  }
}

void BM_ProxyV2SerializeFiveTlvsAndCrc32c(benchmark::State& state) {
  serialize_repeatedly(state, sample(Version::v2, true), true);
}
BENCHMARK(BM_ProxyV2SerializeFiveTlvsAndCrc32c);

void BM_ProxyV1Serialize(benchmark::State& state) { serialize_repeatedly(state, sample(Version::v1, false), false); }
BENCHMARK(BM_ProxyV1Serialize);

}  // namespace
