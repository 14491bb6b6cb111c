#include "protocol/proxy_protocol/tlv_names.h"

#include "tests/unit/protocol/proxy_protocol/parser_harness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>

namespace telltale::proxy_protocol {
namespace {

std::string ssl(int client, std::string_view verify, std::string_view sub_tlvs) {
  return tlv(0x20, octets({client}) + std::string(verify) + std::string(sub_tlvs));
}

/// nullopt: absent.
std::optional<std::string> text_of(std::string_view section, std::string_view name) {
  const auto selector = parse_tlv_selector(name);
  EXPECT_TRUE(selector) << name;
  std::string text = "before ";
  const bool present = append_tlv_text(text, section, selector.value());
  EXPECT_TRUE(text.starts_with("before "));
  EXPECT_TRUE(present || text == "before ") << "nothing is appended for a TLV that is absent";
  return present ? std::optional(text.substr(7)) : std::nullopt;
}

const std::string everything =
    tlv(0x01, "h2") + tlv(0x02, "shop.example.com") + tlv(0x03, octets({0xde, 0xad, 0xbe, 0xef})) +
    tlv(0x04, octets({0, 0})) + tlv(0x05, octets({0x01, 0x23, 0xab})) + tlv(0x30, "blue") +
    ssl(7, octets({0, 0, 1, 2}),
        tlv(0x21, "TLSv1.3") + tlv(0x22, "client one") + tlv(0x23, "TLS_AES_128_GCM_SHA256") + tlv(0x24, "RSA-SHA256") +
            tlv(0x25, "RSA2048") + tlv(0x26, "x25519") + tlv(0x27, "rsa_pss_rsae_sha256") +
            tlv(0x28, octets({0x30, 0x82, 0xff}))) +
    tlv(0xea, octets({2}) + "other") + tlv(0xea, octets({1}) + "vpce-08d2bf15fac5001c9") +
    tlv(0xee, octets({1, 0x78, 0x56, 0x34, 0x12})) + tlv(0xe0, octets({0, 0, 0, 0, 0, 0, 0x30, 0x39})) +
    tlv(0xe3, "tenant 7");

TEST(TlvNames, GiveTheTextOfEachNamedTlv) {
  struct {
    const char* name;
    const char* text;
  } const cases[] = {
      {"alpn", "h2"},
      {"authority", "shop.example.com"},
      {"crc32c", "deadbeef"},
      {"noop", "0000"},
      {"unique_id", "0123ab"},
      {"netns", "blue"},
      {"ssl_client", "7"},
      {"ssl_verify", "258"},
      {"ssl_version", "TLSv1.3"},
      {"ssl_cn", "client one"},
      {"ssl_cipher", "TLS_AES_128_GCM_SHA256"},
      {"ssl_sig_alg", "RSA-SHA256"},
      {"ssl_key_alg", "RSA2048"},
      {"ssl_group", "x25519"},
      {"ssl_signature_scheme", "rsa_pss_rsae_sha256"},
      {"ssl_client_cert", "MIL/"},
      {"aws_vpce_id", "vpce-08d2bf15fac5001c9"},
      {"azure_link_id", "305419896"},
      {"gcp_psc_connection_id", "12345"},
      {"0xE3", "tenant 7"},
      {"0xe3", "tenant 7"},
      {"0x02", "shop.example.com"},
      {"0x05", "0x0123ab"},
      {"0xEE", "0x0178563412"},
  };
  ASSERT_TRUE(TlvRange(everything).well_formed());
  for (const auto& c : cases) EXPECT_EQ(text_of(everything, c.name), c.text) << c.name;
  for (const NamedTlv& named : named_tlvs()) {
    EXPECT_TRUE(std::ranges::any_of(cases, [&](const auto& c) { return named.name == c.name; })) << named.name;
    EXPECT_EQ(text_of("", named.name), std::nullopt) << named.name;
  }
}

TEST(TlvNames, AreFoundInASectionCutAnywhereOrNotAtAll) {
  for (std::size_t cut = 0; cut < everything.size(); ++cut) {
    const auto memory = std::make_unique<char[]>(cut);
    std::copy_n(everything.begin(), cut, memory.get());
    for (const NamedTlv& named : named_tlvs()) {
      const auto text = text_of({memory.get(), cut}, named.name);
      EXPECT_TRUE(!text || text == text_of(everything, named.name)) << named.name << " cut at " << cut;
    }
  }
}

TEST(TlvNames, AreAbsentWhenTheValueIsNotOfTheirForm) {
  struct {
    const char* description;
    std::string section;
    const char* name;
    std::optional<std::string> text;
  } const cases[] = {
      {"AWS: another subtype", tlv(0xea, octets({2}) + "x"), "aws_vpce_id", {}},
      {"AWS: no subtype", tlv(0xea, ""), "aws_vpce_id", {}},
      {"AWS: an empty ID", tlv(0xea, octets({1})), "aws_vpce_id", ""},
      {"Azure: three octets", tlv(0xee, octets({1, 1, 2, 3})), "azure_link_id", {}},
      {"Azure: five octets", tlv(0xee, octets({1, 1, 2, 3, 4, 5})), "azure_link_id", {}},
      {"Azure: another subtype", tlv(0xee, octets({2, 1, 2, 3, 4})), "azure_link_id", {}},
      {"Azure: the largest", tlv(0xee, octets({1, 255, 255, 255, 255})), "azure_link_id", "4294967295"},
      {"GCP: seven octets", tlv(0xe0, octets({1, 2, 3, 4, 5, 6, 7})), "gcp_psc_connection_id", {}},
      {"GCP: the largest", tlv(0xe0, std::string(8, '\xff')), "gcp_psc_connection_id", "18446744073709551615"},
      {"crc32c of three octets", tlv(3, "abc"), "crc32c", {}},
      {"SSL TLV without its fixed part", tlv(0x20, octets({1, 0, 0, 0})), "ssl_client", {}},
      {"likewise, a sub-TLV", tlv(0x20, octets({1, 0, 0, 0})), "ssl_cn", {}},
      {"likewise, the TLV itself", tlv(0x20, octets({1, 0, 0, 0})), "0x20", "0x01000000"},
      {"SSL TLV that has no common name", ssl(1, octets({0, 0, 0, 0}), tlv(0x21, "TLSv1.3")), "ssl_cn", {}},
      {"a sub-TLV that stands outside", tlv(0x22, "forged"), "ssl_cn", {}},
      {"the first of two authorities", tlv(2, "near") + tlv(2, "far"), "authority", "near"},
      {"two SSL TLVs do not complete each other",
       ssl(1, octets({0, 0, 0, 0}), tlv(0x21, "TLSv1.3")) + ssl(7, octets({0, 0, 0, 0}), tlv(0x22, "far")),
       "ssl_cn",
       {}},
      {"empty", tlv(2, ""), "authority", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(text_of(c.section, c.name), c.text) << c.description;
}

// Nothing that a sender writes may begin a line, end a string, or leave ASCII; what differs stays different.
TEST(TlvNames, TextIsSafeAndReadsBack) {
  struct {
    const char* description;
    const char* name;
    std::string value;
    const char* text;
  } const cases[] = {
      {"line break", "authority", "a\r\nX-Forwarded-For: 1", "a%0D%0AX-Forwarded-For: 1"},
      {"percent sign", "authority", "a%0D", "a%250D"},
      {"UTF-8", "netns", "M\xc3\xbcller", "M%C3%BCller"},
      {"not UTF-8", "netns", "\xff\xfe", "%FF%FE"},
      {"NUL and DEL", "alpn", octets({'h', 0, 0x7f}), "h%00%7F"},
      {"spaces at the ends", "alpn", " a b ", "%20a b%20"},
      {"a space alone", "alpn", " ", "%20"},
      {"tab", "alpn", "a\tb", "a%09b"},
      {"quotes", "alpn", "\"a\\", "\"a\\"},
      {"any type: line break", "0xE3", "a\n", "0x610a"},
      {"any type: as it is", "0xE3", "100% \"\\", "100% \"\\"},
      {"any type: begins like a number in hex", "0xE3", "0x61", "0x30783631"},
      {"any type: space at the end", "0xE3", "a ", "0x6120"},
      {"any type: not ASCII", "0xE3", "\xc3\xbc", "0xc3bc"},
      {"any type: empty", "0xE3", "", ""},
      {"identifier", "unique_id", octets({0, 0xff}), "00ff"},
      {"padding, one", "noop", "a", "61"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.description);
    const TlvSelector selector = parse_tlv_selector(c.name).value();
    EXPECT_EQ(text_of(tlv(static_cast<int>(selector.type), c.value), c.name), c.text);
    EXPECT_EQ(tlv_octets(c.text, selector), c.value);
  }
}

TEST(TlvNames, EveryOctetHasASafeTextOfItsOwn) {
  for (const NamedTlv& named : named_tlvs()) {
    const std::size_t size = named.selector.size == 0 ? 3 : named.selector.size;
    std::set<std::string> texts;
    for (int c = 0; c < 256; ++c) {
      std::string value(size, 'a');
      value[size / 2] = static_cast<char>(c);
      std::string text;
      append_tlv_value(text, value, named.selector);
      EXPECT_TRUE(std::ranges::all_of(text, [](char t) { return t >= 0x20 && t < 0x7f; })) << named.name << " " << c;
      EXPECT_EQ(tlv_octets(text, named.selector), value) << named.name << " " << c;
      texts.insert(text);
    }
    EXPECT_EQ(texts.size(), 256u) << named.name;
  }
}

TEST(TlvNames, Base64HasEveryLength) {
  const TlvSelector selector = parse_tlv_selector("ssl_client_cert").value();
  const std::pair<std::string, std::string> cases[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [value, text] : cases) {
    std::string written;
    append_tlv_value(written, value, selector);
    EXPECT_EQ(written, text);
    EXPECT_EQ(tlv_octets(text, selector), value);
  }
}

TEST(TlvNames, RefuseTextsThatNoValueHas) {
  struct {
    const char* name;
    const char* text;
  } const cases[] = {
      {"authority", "100%"},
      {"authority", "%4"},
      {"authority", "%zz"},
      {"0xE3", "0x1"},
      {"0xE3", "0xgg"},
      {"unique_id", "abc"},
      {"unique_id", "0xab"},
      {"crc32c", "abcd"},
      {"azure_link_id", "4294967296"},
      {"azure_link_id", "-1"},
      {"azure_link_id", "0x10"},
      {"azure_link_id", ""},
      {"azure_link_id", "1 "},
      {"ssl_client", "256"},
      {"gcp_psc_connection_id", "18446744073709551616"},
      {"ssl_client_cert", "Zg="},
      {"ssl_client_cert", "Zh=="},
      {"ssl_client_cert", "Zg==Zg=="},
      {"ssl_client_cert", "Z==="},
      {"ssl_client_cert", "Zm9-"},
  };
  for (const auto& c : cases) {
    const TlvSelector selector = parse_tlv_selector(c.name).value();
    EXPECT_EQ(tlv_octets(c.text, selector), std::nullopt) << c.name << " " << c.text;
    EXPECT_FALSE(describe_tlv_text(selector).empty());
  }
}

TEST(TlvNames, RefuseOtherNames) {
  for (const char* name : {"", "ssl", "Authority", "aws", "0x", "0xe", "0xE33", "0Xe3", "e3", "0xg0", "224", "0x 3"}) {
    EXPECT_FALSE(parse_tlv_selector(name)) << name;
  }
  EXPECT_EQ(tlv_names().size(), named_tlvs().size());
  for (std::size_t i = 0; i < tlv_names().size(); ++i) EXPECT_EQ(tlv_names()[i], named_tlvs()[i].name);
}

TEST(TlvNames, AreGivenBack) {
  for (const NamedTlv& named : named_tlvs()) EXPECT_EQ(tlv_name(named.selector), named.name);
  EXPECT_EQ(tlv_name(parse_tlv_selector("0x0a").value()), "0x0A");
  EXPECT_EQ(tlv_name(parse_tlv_selector("0x02").value()), "0x02");
}

}  // namespace
}  // namespace telltale::proxy_protocol
