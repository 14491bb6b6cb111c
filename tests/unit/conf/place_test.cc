#include "conf/place.h"

#include <gtest/gtest.h>

#include <string>

namespace telltale::conf {
namespace {

/// The file has one map with one value; `@` in the value's text is where it is looked for.
std::string place_of(const std::string& file) {
  YamlTree tree;
  std::vector<Diagnostic> diagnostics;
  if (!tree.parse(file, diagnostics)) return "not YAML";
  const YamlNode& value = *tree.root().items[1];
  const YamlNode place = place_within(file, value, value.text.find('@'));
  return std::to_string(place.line) + ":" + std::to_string(place.column);
}

TEST(PlaceWithin, FindsTheOctetInTheFile) {
  struct Case {
    const char* description;
    std::string file;
    const char* expected;
  };
  const Case cases[] = {
      {"plain", "a: bc@d\n", "1:6"},
      {"plain, at its start", "a: @d\n", "not YAML"},
      {"double quotes", "a: \"bc@d\"\n", "1:7"},
      {"single quotes", "a: '@'\n", "1:5"},
      {"a doubled single quote", "a: 'it''s @'\n", "1:11"},
      {"short escapes", "a: \"\\t\\\\\\\"@\"\n", "1:11"},
      {"\\x", "a: \"\\x41@\"\n", "1:9"},
      {"\\u of two octets", "a: \"\\u00e4@\"\n", "1:11"},
      {"\\U of four octets", "a: \"\\U0001F600@\"\n", "1:15"},
      {"a character of two octets", "a: \"\xC3\xA4@\"\n", "1:7"},
      {"in a later line", "#\n\na:  'x@'\n", "3:7"},
      {"in the next line", "a:\n  'x@'\n", "2:5"},
      {"a block scalar", "a: |\n  xy@\n", "2:5"},
      {"a folded block scalar of one line", "a: >-\n    xy@\n", "2:7"},
      {"beyond the first line of a block scalar: not told", "a: |\n  xy\n  @\n", "1:4"},
      {"folded over lines: not told", "a: \"x\n  y@\"\n", "1:4"},
      {"an escaped line break: not told", "a: \"x\\\n  y@\"\n", "1:4"},
      {"before the fold: told", "a: \"x@\n  y\"\n", "1:6"},
      {"an anchor: not told", "a: &n 'x@'\n", "1:4"},
      {"no such octet", "a: xyz\n", "1:4"},
  };
  for (const Case& c : cases) EXPECT_EQ(place_of(c.file), c.expected) << c.description;
}

}  // namespace
}  // namespace telltale::conf
