#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace telltale::proxy {

/// Health::expect_body, each compiled once for all targets that have it. Not thread safe.
class BodyPatterns {
 public:
  BodyPatterns();
  ~BodyPatterns();

  /// Whether `pattern` (RE2, UTF-8) is found somewhere in `body`. One that does not compile, which the configuration
  /// does not let through, is found nowhere. The time is linear in the body's size.
  bool found(const std::string& pattern, std::string_view body);

 private:
  std::map<std::string, std::unique_ptr<re2::RE2>> compiled_;
};

}  // namespace telltale::proxy
