#include "conf/expand.h"
#include "conf/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace telltale::conf {
namespace {

using namespace std::chrono_literals;

std::string with(const std::string& client_ip, const std::string& propagate) {
  return "listeners: [{listen: ':80', service: web, client_ip: {" + client_ip +
         "}}]\n"
         "services: [{name: web, endpoints: [10.0.0.1:80], propagate: {" +
         propagate + "}}]\n";
}

std::vector<std::string> findings(const std::string& text) {
  std::vector<std::string> out;
  for (const Diagnostic& d : load_text(text).diagnostics) out.push_back(d.path + ": " + d.message);
  return out;
}

TEST(AssertionFields, HaveDefaults) {
  const auto model = load_text(with("assertion: {key_file: in.keys}", "assertion: {key_file: out.keys}")).model;
  ASSERT_TRUE(model);
  const auto& trust = model->listeners[0].client_ip.assertion;
  ASSERT_TRUE(trust);
  EXPECT_EQ(trust->key_file, "in.keys");
  EXPECT_EQ(trust->window.max_age, 30s);
  EXPECT_EQ(trust->window.clock_skew, 5s);
  EXPECT_EQ(trust->tlv, 0);
  const auto& options = model->services[0].propagate.assertion;
  ASSERT_TRUE(options);
  EXPECT_EQ(options->key_file, "out.keys");
  EXPECT_TRUE(options->header);
  EXPECT_EQ(options->tlv, 0);
  EXPECT_EQ(model->assertion_key_files, (std::vector<std::string>{"in.keys", "out.keys"}));
  EXPECT_EQ(trust->keys, 0U);
  EXPECT_EQ(options->keys, 1U);
}

TEST(AssertionFields, AreOffByDefault) {
  const auto model = load_text(with("", "")).model;
  ASSERT_TRUE(model);
  EXPECT_FALSE(model->listeners[0].client_ip.assertion);
  EXPECT_FALSE(model->services[0].propagate.assertion);
  EXPECT_FALSE(model->services[0].propagate.transparent_source);
  EXPECT_TRUE(model->assertion_key_files.empty());
}

TEST(AssertionFields, ReadEachFileOnce) {
  const auto model = load_text(with("assertion: {key_file: one.keys, max_age: 1m, clock_skew: 0s}",
                                    "assertion: {key_file: one.keys, header: false, tlv: 0xEF}, proxy_protocol: v2"))
                         .model;
  ASSERT_TRUE(model);
  EXPECT_EQ(model->assertion_key_files, std::vector<std::string>{"one.keys"});
  EXPECT_EQ(model->listeners[0].client_ip.assertion->window.max_age, 60s);
  EXPECT_EQ(model->listeners[0].client_ip.assertion->window.clock_skew, 0s);
  EXPECT_FALSE(model->services[0].propagate.assertion->header);
  EXPECT_EQ(model->services[0].propagate.assertion->tlv, 0xef);
}

TEST(AssertionFields, AreCheckedAndSoIsTheSourceAddress) {
  struct Case {
    const char* what;
    std::string text;
    std::vector<std::string> findings;
  };
  const std::string in = "listeners[0].client_ip.assertion", out = "services[0].propagate.assertion";
  const Case cases[] = {
      {"no key file",
       with("assertion: {}", "assertion: {}"),
       {in + ": the field \"key_file\" is missing", out + ": the field \"key_file\" is missing"}},
      {"told nowhere", with("", "assertion: {key_file: k, header: false}"), {out + ": the assertion is told nowhere"}},
      {"a TLV without a header to be in",
       with("", "assertion: {key_file: k, tlv: 0xE0}, proxy_protocol: v1"),
       {out + ": only a PROXY header of version 2 has TLVs"}},
      {"a TLV of the specification",
       with("", "assertion: {key_file: k, tlv: 0x05}, proxy_protocol: v2"),
       {out + ".tlv: \"0x05\" is not one of off, 0xE0, 0xE1, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, "
              "0xEB, 0xEC, 0xED, 0xEE, 0xEF"}},
      {"a TLV that passes as well",
       with("proxy_protocol: [{from: [192.0.2.1], policy: require}]",
            "assertion: {key_file: k, tlv: 0xE0}, proxy_protocol: v2, pass_tlvs: [gcp_psc_connection_id]"),
       {out + ": its `tlv` is one of `pass_tlvs` or `custom_tlvs` too"}},
      {"a TLV that is somebody else's",
       with("", "assertion: {key_file: k, tlv: 0xE1}, proxy_protocol: v2, custom_tlvs: {0xE1: x}"),
       {out + ": its `tlv` is one of `pass_tlvs` or `custom_tlvs` too"}},
      {"a TLV of the specification, to be believed",
       with("assertion: {key_file: k, tlv: 0x05}", ""),
       {in + ".tlv: \"0x05\" is not one of off, 0xE0, 0xE1, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, "
             "0xEB, 0xEC, 0xED, 0xEE, 0xEF"}},
      {"a misspelt field", with("assertion: {key_file: k, tvl: 0xE4}", ""), {in + ".tvl: unknown field \"tvl\""}},
      {"half a second",
       with("assertion: {key_file: k, max_age: 1500ms, clock_skew: 1ms}", ""),
       {in + ".max_age: \"1500ms\" is not in whole seconds", in + ".clock_skew: \"1ms\" is not in whole seconds"}},
      {"out of range",
       with("assertion: {key_file: k, max_age: 2h, clock_skew: 10m}", ""),
       {in + ".max_age: \"2h\" is out of range", in + ".clock_skew: \"10m\" is out of range"}},
      {"our own header as the believed one",
       with("header: X-Telltale-Client, trusted: [192.0.2.1]", ""),
       {"listeners[0].client_ip.header: \"X-Telltale-Client\" does not hold a client's address"}},
      {"a source that is neither",
       with("", "source_address: client"),
       {"services[0].propagate.source_address: \"client\" is not one of own, transparent"}},
      {"a Unix socket has no source",
       "listeners: [{listen: ':80', service: web}]\n"
       "services: [{name: web, endpoints: ['unix:/run/web.sock'], propagate: {source_address: transparent}}]\n",
       {"services[0].endpoints[0]: \"unix:/run/web.sock\" has no source address, and `source_address: transparent` "
        "needs one"}},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(findings(c.text), testing::UnorderedElementsAreArray(c.findings)) << c.what << "\n" << c.text;
  }
}

TEST(AssertionFields, SuggestTheFieldThatWasMeant) {
  const LoadResult result = load_text(with("assertion: {key_file: k, tvl: 0xE4}", ""));
  ASSERT_EQ(result.diagnostics.size(), 1U);
  EXPECT_EQ(result.diagnostics[0].hint, "did you mean \"tlv\"?");
}

TEST(AssertionFields, ExpandToThemselves) {
  const std::string text = with(
      "assertion: {key_file: in.keys, max_age: 10s, tlv: 0xE5}, "
      "proxy_protocol: [{from: [192.0.2.1], policy: require}]",
      "assertion: {key_file: out.keys, tlv: 0xE4}, proxy_protocol: v2, source_address: transparent");
  const auto model = load_text(text).model;
  ASSERT_TRUE(model);
  const std::string expanded = expand(*model);
  EXPECT_NE(expanded.find("source_address: transparent\n"), std::string::npos);
  EXPECT_NE(expanded.find("tlv: 0xE4\n"), std::string::npos);
  EXPECT_NE(expanded.find("tlv: 0xE5\n"), std::string::npos);
  EXPECT_EQ(model->listeners[0].client_ip.assertion->tlv, 0xe5);
  const LoadResult again = load_text(expanded);
  ASSERT_TRUE(again.model) << render(again, "expanded");
  EXPECT_EQ(expand(*again.model), expanded);
}

}  // namespace
}  // namespace telltale::conf
