#include "conf/yaml_tree.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

/// The tree as one line, for comparison.
std::string show(const YamlNode& node) {
  std::string out;
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "~";
    case YamlNode::Kind::scalar:
      return node.text;
    case YamlNode::Kind::sequence:
      for (const YamlNode* item : node.items) out += (out.empty() ? "" : " ") + show(*item);
      return "[" + out + "]";
    case YamlNode::Kind::map:
      for (std::size_t i = 0; i < node.items.size(); i += 2) {
        out += (out.empty() ? "" : " ") + show(*node.items[i]) + ":" + show(*node.items[i + 1]);
      }
      return "{" + out + "}";
  }
  return out;
}

std::vector<std::string> findings(std::string_view text) {
  YamlTree tree;
  std::vector<Diagnostic> diagnostics;
  tree.parse(text, diagnostics);
  std::vector<std::string> out;
  for (const Diagnostic& d : diagnostics) {
    out.push_back(std::to_string(d.line) + ":" + std::to_string(d.column) + ": " + d.message);
  }
  return out;
}

TEST(YamlTree, ReadsCollectionsAliasesAndMergeKeys) {
  struct Case {
    const char* what;
    const char* text;
    const char* tree;
  };
  constexpr Case cases[] = {
      {"a map", "a: 1\nb: [x, 'y']\nc: {d: \"e\"}\n", "{a:1 b:[x y] c:{d:e}}"},
      {"nothing for a value", "a:\nb: ~\n", "{a:~ b:~}"},
      {"a document start", "---\na: 1\n", "{a:1}"},
      {"an alias", "a: &x [1, 2]\nb: *x\n", "{a:[1 2] b:[1 2]}"},
      {"an anchor defined twice", "a: &x 1\nb: &x 2\nc: *x\n", "{a:1 b:2 c:2}"},
      {"a merge", "a: &x {p: 1, q: 2}\nb: {q: 3, <<: *x}\n", "{a:{p:1 q:2} b:{q:3 p:1}}"},
      {"a merge of two: the first wins", "a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc: {<<: [*x, *y]}\n",
       "{a:{p:1} b:{p:2 q:2} c:{p:1 q:2}}"},
      {"a quoted << is a key", "'<<': 1\n", "{<<:1}"},
      {"a block scalar", "a: |\n  x\n  y\n", "{a:x\ny\n}"},
      {"comments and CRLF", "a: 1 # one\r\nb: 2\r\n", "{a:1 b:2}"},
      {"standard tags", "a: !!str 1\nb: !!int 2\n", "{a:1 b:2}"},
  };
  for (const Case& c : cases) {
    YamlTree tree;
    std::vector<Diagnostic> diagnostics;
    ASSERT_TRUE(tree.parse(c.text, diagnostics)) << c.what;
    EXPECT_EQ(show(tree.root()), c.tree) << c.what;
    EXPECT_TRUE(diagnostics.empty()) << c.what << ": " << diagnostics[0].message;
  }
}

TEST(YamlTree, KnowsPlaces) {
  YamlTree tree;
  std::vector<Diagnostic> diagnostics;
  ASSERT_TRUE(tree.parse("a: 1\nlist:\n  - {é: x, k: 'y'}\n", diagnostics));
  const YamlNode& item = *tree.root().find("list")->items[0];
  EXPECT_EQ(item.line, 3u);
  EXPECT_EQ(item.column, 5u);
  EXPECT_EQ(item.find("k")->line, 3u);
  EXPECT_EQ(item.find("k")->column, 16u) << "in octets: é is two";
  EXPECT_TRUE(item.find("k")->quoted);
  EXPECT_FALSE(item.find("é")->quoted);
}

TEST(YamlTree, ReportsWithPlaces) {
  struct Case {
    const char* what;
    std::string text;
    std::vector<std::string> findings;
  };
  const Case cases[] = {
      {"empty", "", {"0:0: the file is empty"}},
      {"only a comment", "# nothing\n", {"0:0: the file is empty"}},
      {"a key given twice", "a: 1\nb: 2\na: 3\n", {"3:1: the field \"a\" is given twice"}},
      {"keys given twice, all of them",
       "{a: 1, a: 2, a: 3}",
       {"1:8: the field \"a\" is given twice", "1:14: the field \"a\" is given twice"}},
      {"a key that is no word", "[1]: x\n", {"1:1: a field name must be a plain word"}},
      {"a tag", "a: !secret x\n", {"1:4: the tag \"!secret\" has no meaning here"}},
      {"a merge of no map", "a: {<<: 1}\n", {"1:9: `<<` merges a map or a list of maps"}},
      {"a second document", "a: 1\n---\nb: 2\n", {"2:1: a second YAML document"}},
      {"an alias within itself", "a: &x [*x]\n", {"1:8: an alias within the value it stands for"}},
      {"an unknown alias", "a: *nobody\n", {"1:4: YAML: the referenced anchor is not defined"}},
      {"a flow list that does not end", "a: [1, 2\n", {"2:1: YAML: end of sequence flow not found"}},
      {"a map in a value", "a: b: c\n", {"1:5: YAML: illegal map value"}},
      {"not UTF-8", "a: \"\xff\"\n", {"1:5: the file is not UTF-8 text"}},
      {"UTF-16",
       std::string("\xff\xfe"
                   "a\0:\0",
                   6),
       {"1:1: the file is not UTF-8 text"}},
      {"NUL", std::string("a: 1\nb: \0\n", 10), {"2:4: a control character"}},
      {"an escape sequence", "a: \x1b[2J\n", {"1:4: a control character"}},
  };
  for (const Case& c : cases) EXPECT_EQ(findings(c.text), c.findings) << c.what;
}

TEST(YamlTree, IsBounded) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 20; ++i) {
    const std::string n = std::to_string(i), up = "*a" + std::to_string(i - 1);
    bomb += "a" + n + ": &a" + n + " [" + up;
    for (int k = 0; k < 9; ++k) bomb += ", " + up;
    bomb += "]\n";
  }
  EXPECT_EQ(findings(bomb),
            std::vector<std::string>{"7:5: with its aliases written out this has more than 2,000,000 values"});

  const auto nested = findings(std::string(1000, '[') + std::string(1000, ']'));
  EXPECT_EQ(nested, std::vector<std::string>{"1:65: nested too deeply"});
  EXPECT_TRUE(findings(std::string(64, '[') + std::string(64, ']')).empty());
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_EQ(findings(deep + std::string(100, ' ') + "b: 1").size(), 1u);

  EXPECT_EQ(findings("a: " + std::string(YamlTree::max_octets, 'x')),
            std::vector<std::string>{"0:0: the file is larger than 16MiB"});
  EXPECT_EQ(findings("a: [" + std::string(YamlTree::max_values + 1, ',') + "]"),
            std::vector<std::string>{"0:0: the file has more than 1,000,000 of the characters [ { ,"});

  std::string merges = "a: &m {";
  for (int i = 0; i < 2000; ++i) merges += "k" + std::to_string(i) + ": 1, ";
  merges += "z: 1}\nb:\n";
  for (int i = 0; i < 1000; ++i) merges += "  - <<: *m\n";
  const auto found = findings(merges);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].find("after merging"), std::string::npos) << found[0];
}

}  // namespace
}  // namespace telltale::conf
