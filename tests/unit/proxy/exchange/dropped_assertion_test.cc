#include "proxy/exchange/dropped_assertion.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

TEST(DroppedAssertion, EveryReasonNamesTheMistakeAndWhatToChange) {
  using enum forwarding::RejectReason;
  const conf::AssertionTrust trust{.key_file = "/run/edge.keys", .keys = 0, .window = {}};
  const struct {
    forwarding::RejectReason reason;
    std::vector<const char*> said;
  } rows[] = {
      {assertion_malformed, {"malformed, or came twice", "propagate: { assertion }"}},
      {assertion_unknown_key, {"key id", "/run/edge.keys", "second line"}},
      {assertion_bad_signature, {"does not fit", "/run/edge.keys"}},
      {assertion_other_authority, {"another host", "Host"}},
      {assertion_expired, {"client_ip.assertion.max_age (30s)", "clocks"}},
      {assertion_not_yet_valid, {"client_ip.assertion.clock_skew (5s)", "clocks"}},
  };
  for (const auto& row : rows) {
    const std::string text = explain_dropped_assertion(row.reason, trust);
    for (const char* said : row.said) EXPECT_NE(text.find(said), text.npos) << to_string(row.reason) << ": " << text;
    EXPECT_EQ(text.find('\n'), text.npos);
  }
  EXPECT_EQ(std::size(rows) + 1, assertion::verdict_count) << "`valid` apart, every verdict";
}

TEST(DroppedAssertion, SaysWhereItCame) {
  EXPECT_EQ(assertion_place(0), "X-Telltale-Client");
  EXPECT_EQ(assertion_place(0xe4), "PROXY TLV 0xE4");
  EXPECT_EQ(assertion_place(0xe0), "PROXY TLV 0xE0");
}

}  // namespace
}  // namespace telltale::proxy
