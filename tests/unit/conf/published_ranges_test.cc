#include "conf/published_ranges.h"

#include "conf/apply_ranges.h"
#include "conf/loader.h"
#include "conf/presets.h"
#include "tests/unit/conf/examples.h"

#include <gtest/gtest.h>

#include <fstream>

namespace telltale::conf {
namespace {

TEST(PublishedRanges, TheBuiltInListsAreTheFileInTheTree) {
  EXPECT_EQ(shipped_ranges_text(), read_source_file("conf/ranges/published.txt"));
  const RangesResult result = parse_ranges(shipped_ranges_text());
  ASSERT_TRUE(result.ranges) << result.problem;
  EXPECT_EQ(*result.ranges, *shipped_ranges());
  for (const char* name : {"cloudflare", "fastly", "gcp-lb"}) {
    const PublishedList* list = result.ranges->find(name);
    ASSERT_TRUE(list) << name;
    EXPECT_EQ(list->date.size(), 10u) << name;
    EXPECT_TRUE(list->source.starts_with("https://")) << name;
  }
  EXPECT_EQ(result.ranges->find("cloudflare")->ranges.size(), 22u);
  EXPECT_TRUE(net::CidrSet(result.ranges->find("gcp-lb")->ranges).contains(*net::IpAddress::parse("35.191.4.7")));
  EXPECT_EQ(result.ranges->find("azure-front-door"), nullptr) << "it changes every week";
}

TEST(PublishedRanges, ReadsEveryFormOfALine) {
  const RangesResult result = parse_ranges(
      "# a comment\r\n\n  [one]  # another\n date:  2026-01-02 \nsource: https://example.com/a b\n 10.0.0.0/8 # c\n"
      "2001:db8::/32\n192.0.2.1\n::ffff:198.51.100.0/120\n[two-2]\n203.0.113.0/24");
  ASSERT_TRUE(result.ranges) << result.problem;
  ASSERT_EQ(result.ranges->lists().size(), 2u);
  const PublishedList& one = result.ranges->lists()[0];
  EXPECT_EQ(one.name, "one");
  EXPECT_EQ(one.date, "2026-01-02");
  EXPECT_EQ(one.source, "https://example.com/a b");
  std::string ranges;
  for (const net::Cidr& range : one.ranges) ranges += range.to_string() + " ";
  EXPECT_EQ(ranges, "10.0.0.0/8 2001:db8::/32 192.0.2.1/32 198.51.100.0/24 ");
  EXPECT_EQ(result.ranges->lists()[1].date, "");
}

TEST(PublishedRanges, SaysWhatIsWrongAndWhere) {
  struct Case {
    const char* description;
    const char* text;
    const char* problem;
  };
  const Case cases[] = {
      {"nothing", "", "there is no list in it: one begins with [name]"},
      {"comments alone", "# x\n", "there is no list in it: one begins with [name]"},
      {"a range before a list", "10.0.0.0/8\n[a]\n", "line 1: \"10.0.0.0/8\" stands before the first [name]"},
      {"a name with capitals", "[Cloudflare]\n",
       "line 1: \"[Cloudflare]\" is not [name] with lower-case letters, digits "
       "and `-`"},
      {"no name", "[]\n", "line 1: \"[]\" is not [name] with lower-case letters, digits and `-`"},
      {"a word with a meaning", "[unix]\n", "line 1: \"[unix]\" is not [name] with lower-case letters, digits and `-`"},
      {"an open bracket", "[a\n", "line 1: \"[a\" is not [name] with lower-case letters, digits and `-`"},
      {"a list twice", "[a]\n10.0.0.0/8\n[a]\n", "line 3: the list \"a\" is given twice"},
      {"an empty list at the end", "[a]\n10.0.0.0/8\n[b]\n# cut\n", "line 5: the list \"b\" has no range"},
      {"an empty list before another", "[a]\n[b]\n10.0.0.0/8\n", "line 2: the list \"a\" has no range"},
      {"no address", "[a]\n10.0.0.300/8\n", "line 2: \"10.0.0.300/8\" is not an address range"},
      {"a cut line", "[a]\n10.0.0.0/\n", "line 2: \"10.0.0.0/\" has a bad prefix length"},
      {"host bits", "[a]\n10.0.0.1/8\n", "line 2: \"10.0.0.1/8\" has bits set beyond its prefix"},
      {"everybody", "[a]\n0.0.0.0/0\n", "line 2: \"0.0.0.0/0\" holds every address"},
      {"everybody in IPv6", "[a]\n::/0\n", "line 2: \"::/0\" holds every address"},
      {"a bad date", "[a]\ndate: yesterday\n", "line 2: \"yesterday\" is not a date like 2025-10-31"},
      {"a page instead of a list", "[a]\n<!DOCTYPE html>\n", "line 2: \"<!DOCTYPE html>\" is not an address range"},
  };
  for (const Case& c : cases) {
    const RangesResult result = parse_ranges(c.text);
    EXPECT_EQ(result.ranges, nullptr) << c.description;
    EXPECT_EQ(result.problem, c.problem) << c.description;
  }
}

TEST(PublishedRanges, SurvivesTheFileCutAtEveryOctet) {
  const std::string_view text = shipped_ranges_text();
  for (std::size_t size = 0; size < text.size(); ++size) {
    const RangesResult result = parse_ranges(text.substr(0, size));
    EXPECT_EQ(result.ranges == nullptr, !result.problem.empty()) << size;
  }
}

TEST(PublishedRanges, AFileThatCannotBeReadIsAProblem) {
  EXPECT_EQ(load_ranges("/nonexistent/ranges.txt").problem, "No such file or directory");
  EXPECT_EQ(load_ranges("/").problem, "not a regular file");
  EXPECT_EQ(load_ranges("/dev/zero").problem, "not a regular file");
  const std::string file = testing::TempDir() + "telltale-ranges.txt";
  std::ofstream(file) << "[a]\n10.0.0.0/8\n";
  EXPECT_TRUE(load_ranges(file).ranges);
  std::ofstream(file) << std::string(1024 * 1024 + 1, '#');
  EXPECT_EQ(load_ranges(file).problem, "more than 1MiB");
}

std::shared_ptr<const PublishedRanges> ranges_of(std::string_view text) { return parse_ranges(text).ranges; }

TEST(PublishedRanges, OtherRangesMakeAnotherModelOfTheSameFile) {
  const LoadResult result = load_text(
      "ranges: /r\n"
      "listeners:\n"
      "- {listen: ':80', service: web, client_ip: {behind: cloudflare}}\n"
      "- {listen: ':81', service: web, client_ip: {trusted: [192.0.2.1, cloudflare, unix]}}\n"
      "- {listen: ':82', service: web, client_ip: {proxy_protocol: [{from: [office], policy: require}]}}\n"
      "services: [{name: web, endpoints: [10.0.0.1:80]}]\n",
      {}, [](const std::string&) { return parse_ranges("[cloudflare]\n198.51.100.0/24\n[office]\n203.0.113.1\n"); });
  ASSERT_TRUE(result.model) << render(result, "x");
  const auto in = [](const net::CidrSet& set, const char* text) { return set.contains(*net::IpAddress::parse(text)); };
  const auto trusts = [&](const Model& model, std::size_t listener, const char* text) {
    return in(model.listeners[listener].client_ip.header.trusted, text);
  };
  EXPECT_TRUE(trusts(*result.model, 0, "198.51.100.7"));
  EXPECT_TRUE(trusts(*result.model, 1, "198.51.100.7"));
  EXPECT_TRUE(in(result.model->listeners[2].client_ip.proxy_protocol[0].from, "203.0.113.1"));

  std::string problem;
  const auto changed =
      with_ranges(*result.model, ranges_of("[office]\n203.0.113.2\n[cloudflare]\n192.0.2.128/25\n"), problem);
  ASSERT_TRUE(changed) << problem;
  for (const std::size_t listener : {0u, 1u}) {
    EXPECT_FALSE(trusts(*changed, listener, "198.51.100.7"));
    EXPECT_TRUE(trusts(*changed, listener, "192.0.2.200"));
  }
  EXPECT_TRUE(trusts(*changed, 1, "192.0.2.1")) << "what stands in the file itself stays";
  EXPECT_TRUE(changed->listeners[1].client_ip.header.trusted.includes_unix());
  EXPECT_TRUE(in(changed->listeners[2].client_ip.proxy_protocol[0].from, "203.0.113.2"));
  EXPECT_FALSE(in(changed->listeners[2].client_ip.proxy_protocol[0].from, "203.0.113.1"));
  EXPECT_EQ(changed->services.size(), 1u);
  EXPECT_TRUE(trusts(*result.model, 0, "198.51.100.7")) << "the old one is as it was";

  EXPECT_EQ(with_ranges(*result.model, ranges_of("[cloudflare]\n192.0.2.128/25\n"), problem), nullptr);
  EXPECT_EQ(problem, "there is no list \"office\", which the listener listener-3 uses");
}

}  // namespace
}  // namespace telltale::conf
