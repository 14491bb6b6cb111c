#include "conf/suggest.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

TEST(Suggestion, CountsEdits) {
  struct Case {
    const char* from;
    const char* to;
    std::size_t distance;
  };
  constexpr Case cases[] = {
      {"", "", 0},       {"abc", "abc", 0},        {"abc", "abd", 1}, {"abc", "ab", 1},
      {"abc", "acb", 1}, {"kitten", "sitting", 3}, {"", "abc", 3},    {"listners", "listeners", 1},
      {"ca", "abc", 3},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(edit_distance(c.from, c.to, 10), c.distance) << c.from << " " << c.to;
    EXPECT_EQ(edit_distance(c.to, c.from, 10), c.distance) << c.to << " " << c.from;
  }
  EXPECT_EQ(edit_distance("kitten", "sitting", 2), 3u) << "more than the limit";
  EXPECT_EQ(edit_distance(std::string(100, 'a'), std::string(100, 'b'), 2), 3u) << "too long to compare";
  EXPECT_EQ(edit_distance(std::string(63, 'a'), std::string(63, 'b'), 100), 63u);
}

TEST(Suggestion, FindsWhatWasMeant) {
  constexpr std::string_view fields[] = {"address", "external_traffic_policy", "health", "endpoints", "port", "name"};
  struct Case {
    const char* word;
    const char* meant;
  };
  constexpr Case cases[] = {
      {"adress", "address"},
      {"Address", "address"},
      {"addr", "address"},
      {"externalTrafficPolicy", "external_traffic_policy"},
      {"external-traffic-policy", "external_traffic_policy"},
      {"helath", "health"},
      {"endpoint", "endpoints"},
      {"prot", "port"},
      {"zebra", ""},
      {"", ""},
      {"x", ""},
  };
  for (const Case& c : cases) EXPECT_EQ(nearest(c.word, fields), c.meant) << c.word;
  EXPECT_EQ(did_you_mean("adress", fields), "did you mean \"address\"?");
  EXPECT_EQ(did_you_mean("zebra", fields, "no idea"), "no idea");
}

}  // namespace
}  // namespace telltale::conf
