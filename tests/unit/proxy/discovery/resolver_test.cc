#include "proxy/discovery/resolver.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

using Names = std::vector<std::string>;

TEST(SearchList, Candidates) {
  const struct {
    const char* description;
    SearchList search;
    std::string name;
    Names expected;
  } cases[] = {
      {"nothing to search", {}, "shop", {"shop"}},
      {"few dots: the domains first", {{"a.test", "test"}, 1}, "shop", {"shop.a.test", "shop.test", "shop"}},
      {"enough dots: as it is first", {{"a.test"}, 1}, "shop.web", {"shop.web", "shop.web.a.test"}},
      {"ndots as in Kubernetes", {{"ns.svc.test"}, 5}, "shop.web", {"shop.web.ns.svc.test", "shop.web"}},
      {"ndots 0", {{"a.test"}, 0}, "shop", {"shop", "shop.a.test"}},
      {"a last dot: as it is", {{"a.test"}, 5}, "shop.test.", {"shop.test"}},
  };
  for (const auto& each : cases) EXPECT_EQ(each.search.candidates(each.name), each.expected) << each.description;
}

TEST(LookupOutcome, SaysSomethingAboutTheNameOrTheServers) {
  const struct {
    LookupOutcome outcome;
    const char* text;
    bool conclusive;
  } cases[] = {{LookupOutcome::answered, "answered", true},
               {LookupOutcome::no_data, "no_data", true},
               {LookupOutcome::no_such_name, "no_such_name", true},
               {LookupOutcome::timed_out, "timed_out", false},
               {LookupOutcome::server_failed, "server_failed", false},
               {LookupOutcome::malformed, "malformed", false}};
  ASSERT_EQ(std::size(cases), static_cast<std::size_t>(LookupOutcome::count_));
  for (const auto& each : cases) {
    EXPECT_STREQ(to_string(each.outcome), each.text);
    EXPECT_EQ(is_conclusive(each.outcome), each.conclusive) << each.text;
  }
}

}  // namespace
}  // namespace telltale::proxy
