#include "conf/environment.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

std::optional<std::string> environment(std::string_view name) {
  if (name == "HOST") return "10.0.0.1";
  if (name == "EMPTY") return "";
  if (name == "TRICK") return "${HOST}";
  if (name == "_x1") return "ok";
  return std::nullopt;
}

TEST(EnvironmentExpansion, PutsInValuesAndDefaults) {
  struct Case {
    const char* what;
    const char* text;
    const char* expanded;
  };
  constexpr Case cases[] = {
      {"a variable", "${HOST}", "10.0.0.1"},
      {"within text", "${HOST}:80 ${_x1}", "10.0.0.1:80 ok"},
      {"a default that is not needed", "${HOST:-x}", "10.0.0.1"},
      {"a default of one that is not set", "${NONE:-x y}", "x y"},
      {"a default of one that is empty", "${EMPTY:-x}", "x"},
      {"an empty default", "${NONE:-}", ""},
      {"an empty variable", "<${EMPTY}>", "<>"},
      {"a default with :- in it", "${NONE:-a:-b}", "a:-b"},
      {"what is put in is not expanded again", "${TRICK}", "${HOST}"},
      {"an escape", "$${HOST}", "${HOST}"},
      {"an escape after a dollar", "$$${HOST}", "$${HOST}"},
      {"dollars that mean nothing", "$5 $HOST $$ $", "$5 $HOST $$ $"},
      {"nothing", "", ""},
  };
  for (const Case& c : cases) {
    std::vector<ExpansionProblem> problems;
    EXPECT_EQ(expand_environment(c.text, environment, problems), c.expanded) << c.what;
    EXPECT_TRUE(problems.empty()) << c.what;
  }
}

TEST(EnvironmentExpansion, ReportsEveryProblem) {
  struct Case {
    const char* what;
    const char* text;
    std::vector<std::string> messages;
  };
  const Case cases[] = {
      {"not set", "${NONE}", {"the environment variable \"NONE\" is not set"}},
      {"two that are not set",
       "${A}${B}",
       {"the environment variable \"A\" is not set", "the environment variable \"B\" is not set"}},
      {"no name", "${}", {"\"\" is not the name of an environment variable"}},
      {"no name but a default", "${:-x}", {"\"\" is not the name of an environment variable"}},
      {"not a name", "${client.address}", {"\"client.address\" is not the name of an environment variable"}},
      {"a digit first", "${1A}", {"\"1A\" is not the name of an environment variable"}},
      {"not closed", "a ${HOST", {"a `${` without its `}`"}},
  };
  for (const Case& c : cases) {
    std::vector<ExpansionProblem> problems;
    expand_environment(c.text, environment, problems);
    std::vector<std::string> messages;
    for (const auto& each : problems) messages.push_back(each.message);
    EXPECT_EQ(messages, c.messages) << c.what;
  }
}

TEST(EnvironmentExpansion, IsBounded) {
  const std::string large(1u << 20, 'x');
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "${X}";
  std::vector<ExpansionProblem> problems;
  const std::string out = expand_environment(text, [&](std::string_view) { return large; }, problems);
  EXPECT_LE(out.size(), 18u << 20);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].message, "with its variables expanded it is too long");
}

TEST(EnvironmentExpansion, EscapedTextComesBack) {
  for (const std::string text : {"plain", "${HOST}", "$${HOST}", "$$${", "a$", "$${", "${${${", "{$}{"}) {
    std::vector<ExpansionProblem> problems;
    EXPECT_EQ(expand_environment(escape_environment(text), environment, problems), text);
    EXPECT_TRUE(problems.empty()) << text;
  }
}

}  // namespace
}  // namespace telltale::conf
