#include "proxy/cli/check.h"

#include "conf/loader.h"
#include "conf/words.h"
#include "proxy/observe/access_log_format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

namespace telltale::proxy {
namespace {

struct Outcome {
  int code;
  std::string out, err;
};
Outcome check(const std::string& text, bool strict = false, bool expand = false) {
  const std::string file = testing::TempDir() + "telltale-check.yaml";
  std::ofstream(file) << text;
  std::ostringstream out, err;
  const int code = run_check({file, expand, strict}, out, err);
  const auto without_directory = [](std::string all) {
    for (auto at = all.find(testing::TempDir()); at != std::string::npos; at = all.find(testing::TempDir())) {
      all.erase(at, testing::TempDir().size());
    }
    return all;
  };
  return {code, without_directory(out.str()), without_directory(err.str())};
}

constexpr const char* clean = "listeners: [{listen: ':80', routes: [{respond: {}}]}]\n";
constexpr const char* warned = "listeners: [{listen: ':80', routes: [{respond: {}}, {respond: {}}]}]\n";

TEST(CheckCommand, SaysOk) {
  const Outcome run = check(clean, true);
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.out, "telltale-check.yaml: ok: 1 listener, 0 services\n");
  EXPECT_EQ(run.err, "");
}

TEST(CheckCommand, WarningsCountUnderStrictOnly) {
  EXPECT_EQ(check(warned).code, 0);
  const Outcome run = check(warned, true);
  EXPECT_EQ(run.code, 1);
  EXPECT_EQ(run.out, "telltale-check.yaml: ok: 1 listener, 0 services, 1 warning\n");
  EXPECT_TRUE(run.err.starts_with("telltale-check.yaml:1:53: warning: listeners[0].routes[1]: ")) << run.err;
}

TEST(CheckCommand, ReportsEveryErrorAndSumsUp) {
  const Outcome run = check("wrokers: 1\nmax_connections: none\n" + std::string(warned));
  EXPECT_EQ(run.code, 2);
  EXPECT_EQ(run.out, "");
  EXPECT_NE(run.err.find("telltale-check.yaml:1:1: error: wrokers: unknown field"), std::string::npos) << run.err;
  EXPECT_NE(run.err.find("telltale-check.yaml:2:18: error: max_connections: "), std::string::npos) << run.err;
  EXPECT_TRUE(run.err.ends_with("telltale-check.yaml: 2 errors, 1 warning\n")) << run.err;
}

TEST(CheckCommand, ReadsTheFilesOfEndpoints) {
  const std::string file = testing::TempDir() + "telltale-check-endpoints.json";
  const std::string text =
      "listeners: [{listen: ':80', service: web}]\nservices: [{name: web, endpoints_file: " + file + "}]\n";
  std::ofstream(file) << R"({"endpoints": ["10.0.0.1:80"]})";
  EXPECT_EQ(check(text).code, 0);
  std::ofstream(file) << R"({"endpoints": ["10.0.0.1"]})";
  const Outcome wrong = check(text);
  EXPECT_EQ(wrong.code, 2);
  EXPECT_TRUE(
      wrong.err.starts_with("telltale-check.yaml: error: services[0].endpoints_file: "
                            "telltale-check-endpoints.json:1:16: endpoints[0]: \"10.0.0.1\" has no port\n"))
      << wrong.err;
  std::remove(file.c_str());
  const Outcome missing = check(text);
  EXPECT_EQ(missing.code, 2);
  EXPECT_NE(missing.err.find("telltale-check-endpoints.json: cannot be read: No such file"), std::string::npos)
      << missing.err;
  EXPECT_NE(missing.err.find("hint: "), std::string::npos) << missing.err;
}

TEST(CheckCommand, ExpandPrintsAFileAlone) {
  const Outcome run = check(clean, false, true);
  EXPECT_EQ(run.code, 0);
  EXPECT_TRUE(conf::load_text(run.out).model) << run.out;
  EXPECT_EQ(run.err, "telltale-check.yaml: ok: 1 listener, 0 services\n");
  EXPECT_EQ(check("x: 1", false, true).out, "");
}

TEST(CheckCommand, AFileThatIsNotThere) {
  std::ostringstream out, err;
  EXPECT_EQ(run_check({"/nonexistent.yaml", false, false}, out, err), 2);
  EXPECT_EQ(err.str(),
            "/nonexistent.yaml: error: cannot be read: No such file or directory\n"
            "/nonexistent.yaml: 1 error, 0 warnings\n");
}

TEST(SchemaCommand, PrintsBothForms) {
  std::ostringstream json, markdown;
  EXPECT_EQ(run_schema({false}, json), 0);
  EXPECT_EQ(run_schema({true}, markdown), 0);
  EXPECT_EQ(json.str(), conf::json_schema());
  EXPECT_EQ(markdown.str(), conf::reference_markdown());
}

TEST(CheckCommand, KnowsTheVariablesThatTheAccessLogHas) {
  EXPECT_TRUE(std::ranges::equal(conf::access_log_variables, access_field_names()));
}

}  // namespace
}  // namespace telltale::proxy
