#include "conf/loader.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

std::string rendered(std::string text, std::vector<Diagnostic> diagnostics) {
  LoadResult result;
  result.text = std::move(text);
  result.diagnostics = std::move(diagnostics);
  return render(result, "edge.yaml");
}

TEST(RenderedDiagnostic, HasPlaceLineCaretAndHint) {
  EXPECT_EQ(rendered("a: 1\nnodes: [{address: 10.0.0.300}]\n",
                     {{Severity::error, 2, 19, "services[0].nodes[1].address",
                       "\"10.0.0.300\" is not an IP address or host name", "like 10.0.0.11"}}),
            "edge.yaml:2:19: error: services[0].nodes[1].address: \"10.0.0.300\" is not an IP address or host name\n"
            "    2 | nodes: [{address: 10.0.0.300}]\n"
            "      |                   ^\n"
            "      hint: like 10.0.0.11\n");
}

TEST(RenderedDiagnostic, LeavesOutWhatThereIsNot) {
  EXPECT_EQ(rendered("", {{Severity::error, 0, 0, "", "the file is empty", ""}}),
            "edge.yaml: error: the file is empty\n");
  EXPECT_EQ(rendered("a: 1\n", {{Severity::warning, 1, 1, "", "w", ""}}),
            "edge.yaml:1:1: warning: w\n    1 | a: 1\n      | ^\n");
}

TEST(RenderedDiagnostic, KeepsTheCaretUnderItsPlace) {
  struct Case {
    const char* what;
    std::string text;
    std::size_t line, column;
    std::string excerpt;
  };
  const Case cases[] = {
      {"letters of more than one octet count as one", "é€😀: x", 1, 12, "    1 | é€😀: x\n      |      ^\n"},
      {"a tab is one blank", "a:\tx", 1, 4, "    1 | a: x\n      |    ^\n"},
      {"CRLF", "a: 1\r\nb: 2\r\n", 2, 4, "    2 | b: 2\n      |    ^\n"},
      {"a control character does not reach the terminal", "a: \x1b[2J", 1, 4, "    1 | a: ?[2J\n      |    ^\n"},
      {"nor a C1 one",
       "a: \xc2\x9b"
       "2J",
       1, 4, "    1 | a: ?2J\n      |    ^\n"},
      {"the end of a line", "a: [1", 1, 6, "    1 | a: [1\n      |      ^\n"},
      {"beyond the last line", "a: [1\n", 2, 1, "    2 | \n      | ^\n"},
      {"far beyond", "a", 9, 9, "    9 | \n      | ^\n"},
      {"a large line number", std::string(99'999, '\n') + "x", 100'000, 1, "100000 | x\n       | ^\n"},
  };
  for (const Case& c : cases) {
    const std::string head = "edge.yaml:" + std::to_string(c.line) + ":" + std::to_string(c.column) + ": error: m\n";
    EXPECT_EQ(rendered(c.text, {{Severity::error, c.line, c.column, "", "m", ""}}), head + c.excerpt) << c.what;
  }
}

TEST(RenderedDiagnostic, CutsLongLines) {
  const std::string out =
      rendered(std::string(5000, 'x') + "HERE" + std::string(5000, 'y'), {{Severity::error, 1, 5001, "", "m", ""}});
  EXPECT_LT(out.size(), 500u);
  const auto excerpt = out.find('\n') + 1;
  const auto caret = out.find('\n', excerpt) + 1;
  EXPECT_NE(out.find("…" + std::string(100, 'x') + "HERE" + std::string(56, 'y') + "…"), std::string::npos) << out;
  EXPECT_EQ(out.find('^', caret) - caret, 8 + 1 + 100u) << "under the H, past one ellipsis";
}

}  // namespace
}  // namespace telltale::conf
