#include "proxy/net/gateways.h"

#include <gtest/gtest.h>

#include <bit>
#include <string>

namespace telltale::proxy {
namespace {

std::string joined(const std::vector<net::IpAddress>& all) {
  std::string out;
  for (const auto& each : all) out += (out.empty() ? "" : " ") + each.to_string();
  return out;
}

TEST(Gateways, OfIpv4AreReadFromTheRoutingTable) {
  if constexpr (std::endian::native != std::endian::little) GTEST_SKIP() << "the text is a little-endian machine's";
  const struct {
    const char* description;
    std::string text;
    const char* expected;
  } rows[] = {
      {"a default route", "Iface\tDestination\tGateway \tFlags\neth0\t00000000\t010011AC\t0003\t0\n", "172.17.0.1"},
      {"a route without one", "eth0\t000011AC\t00000000\t0001\t0\n", ""},
      {"two that are the same", "eth0\t00000000\t0101F40A\t0003\neth1\t0000000A\t0101F40A\t0003", "10.244.1.1"},
      {"two", "eth0\t0\t0101F40A\t0003\neth1\t0\t0100000A\t0003\n", "10.244.1.1 10.0.0.1"},
      {"nothing", "", ""},
      {"garbage", "x\n\n y z\n eth0 0 zz\n eth0 0 123456789 \n", ""},
  };
  for (const auto& row : rows) EXPECT_EQ(joined(parse_ipv4_gateways(row.text)), row.expected) << row.description;
}

TEST(Gateways, OfIpv6AreReadFromTheRoutingTable) {
  const std::string zero(32, '0');
  const auto line = [&](const std::string& gateway) {
    return zero + " 00 " + zero + " 00 " + gateway + " 00000400 00000002 00000000 00000003     eth0\n";
  };
  const struct {
    const char* description;
    std::string text;
    const char* expected;
  } rows[] = {
      {"a default route", line("fd000000000000000000000000000001"), "fd00::1"},
      {"a route without one", line(zero), ""},
      {"a link-local one is nobody's source", line("fe800000000000000000000000000001"), ""},
      {"garbage", line("zd000000000000000000000000000001") + "x y\n" + line("12"), ""},
  };
  for (const auto& row : rows) EXPECT_EQ(joined(parse_ipv6_gateways(row.text)), row.expected) << row.description;
}

}  // namespace
}  // namespace telltale::proxy
