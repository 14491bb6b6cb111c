#include "proxy/explain/proxy_header_text.h"

#include "proxy/explain/explainer.h"
#include "proxy/observe/hex.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

const std::optional<net::IpPort> local = net::parse_ip_port("203.0.113.140:80");

/// `v2 PROXY source destination name=value …`
std::string decoded(std::string_view octets) {
  const auto header = explain_proxy_header(octets);
  std::string out = header.version + " " + header.command;
  if (!header.source.empty()) out += " " + header.source + " " + header.destination;
  for (const auto& [name, value] : header.tlvs) out += " " + name + "=" + value;
  return out;
}

TEST(WrittenProxyHeader, IsReadInAllItsForms) {
  const struct {
    const char* description;
    std::string text;
    std::string expected;
  } rows[] = {
      {"a v1 line", "PROXY TCP4 192.0.2.1 198.51.100.1 4711 80", "v1 PROXY 192.0.2.1:4711 198.51.100.1:80"},
      {"a v1 line with its end", "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r\n", "v1 PROXY 192.0.2.1:1 198.51.100.1:2"},
      {"with its end as it is typed", "PROXY TCP6 2001:db8::1 2001:db8::2 1 2\\r\\n",
       "v1 PROXY [2001:db8::1]:1 [2001:db8::2]:2"},
      {"hexadecimal digits", "0d0a0d0a000d0a515549540a20000000", "v2 LOCAL"},
      {"in groups", "0x 0d0a0d0a 000d0a51 5549540a 21110000", " "},
      {"a source alone", "192.0.2.1:4711", "v2 PROXY 192.0.2.1:4711 203.0.113.140:80"},
      {"without a port", "192.0.2.1", "v2 PROXY 192.0.2.1:0 203.0.113.140:80"},
      {"source and destination", "v2 192.0.2.1:1 198.51.100.1:2", "v2 PROXY 192.0.2.1:1 198.51.100.1:2"},
      {"as we print it", "v2 192.0.2.1:1 -> 198.51.100.1:2", "v2 PROXY 192.0.2.1:1 198.51.100.1:2"},
      {"v1", "v1 [2001:db8::1]:1 [2001:db8::2]:2", "v1 PROXY [2001:db8::1]:1 [2001:db8::2]:2"},
      {"v2 LOCAL", "LOCAL", "v2 LOCAL"},
      {"v1 UNKNOWN", "v1 UNKNOWN", "v1 UNKNOWN"},
      {"named TLVs", "192.0.2.1:1 authority=a.example aws_vpce_id=vpce-1",
       "v2 PROXY 192.0.2.1:1 203.0.113.140:80 authority=a.example aws_vpce_id=vpce-1"},
      {"a TLV by its type", "192.0.2.1:1 0xE3=abc", "v2 PROXY 192.0.2.1:1 203.0.113.140:80 0xE3=abc"},
  };
  for (const auto& row : rows) {
    const auto header = read_proxy_header(row.text, local);
    EXPECT_EQ(header.error, "") << row.description;
    EXPECT_EQ(decoded(header.octets), row.expected) << row.description;
  }
}

TEST(WrittenProxyHeader, WhatIsAHeaderInFormIsTakenAsItIs) {
  EXPECT_EQ(read_proxy_header("PROXY TCP5 nonsense", local).octets, "PROXY TCP5 nonsense\r\n");
  EXPECT_EQ(read_proxy_header("50524f585920", local).octets, "PROXY ");
}

TEST(WrittenProxyHeader, SaysWhatIsWrong) {
  const struct {
    const char* description;
    const char* text;
    const char* said;
  } rows[] = {
      {"nothing", "", "source is missing"},
      {"no address", "banana", "\"banana\" is not an address"},
      {"three addresses", "192.0.2.1:1 192.0.2.2:2 192.0.2.3:3", "one source and one destination"},
      {"an unknown TLV", "192.0.2.1:1 autority=a", "there is no TLV \"autority\""},
      {"a value that a TLV cannot have", "192.0.2.1:1 azure_link_id=x", "azure_link_id"},
      {"a part of the SSL TLV", "192.0.2.1:1 ssl_cn=x", "SSL TLV"},
      {"TLVs in v1", "v1 192.0.2.1:1 authority=a", "v1 has no TLVs"},
      {"half an octet", "0d0a0", "hexadecimal"},
  };
  for (const auto& row : rows) {
    const auto header = read_proxy_header(row.text, local);
    EXPECT_NE(header.error.find(row.said), std::string::npos) << row.description << ": " << header.error;
    EXPECT_EQ(header.octets, "") << row.description;
  }
}

}  // namespace
}  // namespace telltale::proxy
