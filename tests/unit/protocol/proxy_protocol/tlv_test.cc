#include "protocol/proxy_protocol/tlv.h"

#include "tests/unit/protocol/proxy_protocol/parser_harness.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace telltale::proxy_protocol {
namespace {

TEST(TlvRange, WalksInsideTheSectionOnly) {
  struct {
    const char* description;
    std::string section;
    std::vector<std::pair<int, std::string>> tlvs;
    bool well_formed;
  } const cases[] = {
      {"nothing", "", {}, true},
      {"one", tlv(2, "a.example"), {{2, "a.example"}}, true},
      {"empty value", tlv(4, ""), {{4, ""}}, true},
      {"three", tlv(1, "h2") + tlv(4, "") + tlv(0xea, "x"), {{1, "h2"}, {4, ""}, {0xea, "x"}}, true},
      {"all zeros", std::string(6, '\0'), {{0, ""}, {0, ""}}, true},
      {"one octet left", tlv(1, "h2") + "a", {{1, "h2"}}, false},
      {"two octets left", tlv(1, "h2") + "ab", {{1, "h2"}}, false},
      {"value one octet short", octets({1, 0, 3}) + "h2", {}, false},
      {"length 65,535", octets({1, 0xff, 0xff}) + std::string(1000, 'x'), {}, false},
      {"good, then too long", tlv(1, "h2") + octets({2, 1, 0}) + "x", {{1, "h2"}}, false},
      {"256 octets", tlv(4, std::string(256, 'n')), {{4, std::string(256, 'n')}}, true},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    const auto memory = std::make_unique<char[]>(c.section.size());
    std::copy(c.section.begin(), c.section.end(), memory.get());
    const TlvRange range({memory.get(), c.section.size()});
    std::vector<std::pair<int, std::string>> seen;
    for (const Tlv& t : range) seen.emplace_back(static_cast<int>(t.type), t.value);
    EXPECT_EQ(seen, c.tlvs);
    EXPECT_EQ(range.well_formed(), c.well_formed);
  }
}

TEST(TlvRange, FindsTheFirstOfAType) {
  const std::string section = tlv(1, "h2") + tlv(2, "a") + tlv(2, "b") + octets({5, 0});
  EXPECT_EQ(TlvRange(section).find(TlvType::authority), "a");
  EXPECT_EQ(TlvRange(section).find(TlvType::alpn), "h2");
  EXPECT_EQ(TlvRange(section).find(TlvType::unique_id), std::nullopt);
}

TEST(TlvRange, WalksTheSectionNestedInAnSslTlv) {
  const std::string ssl = tlv(0x20, octets({7, 0, 0, 0, 0}) + tlv(0x21, "TLSv1.3") + tlv(0x22, "client"));
  const auto value = TlvRange(ssl).find(TlvType::ssl);
  ASSERT_TRUE(value);
  EXPECT_EQ(TlvRange(value->substr(5)).find(TlvType{0x21}), "TLSv1.3");
}

}  // namespace
}  // namespace telltale::proxy_protocol
