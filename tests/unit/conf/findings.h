#pragma once

#include "conf/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace telltale::conf::test {

inline std::optional<std::string> environment(std::string_view name) {
  if (name == "PORT") return "9090";
  if (name == "CLIENTS") return "192.0.2.0/24";
  if (name == "BAD") return "x\ny";
  if (name == "LATIN1") return "caf\xe9";
  return std::nullopt;
}

/// `line:column: severity: path: message` of each finding.
inline std::vector<std::string> findings(const std::string& text) {
  std::vector<std::string> out;
  for (const Diagnostic& d : load_text(text, environment).diagnostics) {
    out.push_back(std::to_string(d.line) + ":" + std::to_string(d.column) + ": " +
                  (d.severity == Severity::error ? "error: " : "warning: ") + (d.path.empty() ? "" : d.path + ": ") +
                  d.message);
  }
  return out;
}

struct Case {
  const char* what;
  std::string text;
  std::vector<std::string> findings;
};

/// Line 1 of these files is free, a listener to a service follows.
inline constexpr std::string_view rest =
    "\nlisteners: [{listen: ':80', service: web}]\nservices: [{name: web, endpoints: [10.0.0.1:80]}]\n";
inline std::string with_top(std::string_view line) { return std::string(line).append(rest); }
inline std::string with_listener(std::string_view fields) {
  return "listeners:\n- {listen: ':80', service: web, " + std::string(fields) +
         "}\nservices: [{name: web, endpoints: [10.0.0.1:80]}]\n";
}
inline std::string with_route(std::string_view route) {
  return "listeners: [{listen: ':80', routes: [\n" + std::string(route) +
         "\n]}]\nservices: [{name: web, endpoints: [10.0.0.1:80]}, {name: other, endpoints: [10.0.0.2:80]}]\n";
}
inline std::string with_service(std::string_view fields) {
  return "listeners: [{listen: ':80', service: web}]\nservices:\n- {name: web, " + std::string(fields) + "}\n";
}

inline void expect(std::span<const Case> cases) {
  for (const Case& c : cases)
    EXPECT_THAT(findings(c.text), testing::ElementsAreArray(c.findings)) << c.what << "\n" << c.text;
}

}  // namespace telltale::conf::test
