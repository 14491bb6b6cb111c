// Any text: the loader neither throws nor fails, a usable model comes without errors and only then, findings point into
// the text, and what a model expands to loads again to the same. The same text as an endpoints file: endpoints or
// problems.
#include "conf/endpoints_file.h"
#include "conf/expand.h"
#include "conf/loader.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void check(bool condition) {
  if (!condition) std::abort();
}

std::optional<std::string> environment(std::string_view name) {
  if (name == "A") return "10.0.0.1";
  if (name == "P") return "8080";
  return std::nullopt;
}

// No file of this machine plays a part.
telltale::conf::RangesResult ranges(const std::string& path) {
  if (path.size() % 2 == 0) return {nullptr, "not there"};
  return {telltale::conf::shipped_ranges(), {}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace telltale::conf;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const EndpointsFileResult endpoints = parse_endpoints_file(text, "endpoints", Service(), environment);
  check(endpoints.file.has_value() == endpoints.problems.empty());
  check(endpoints.problems.find('\x1b') == std::string::npos);
  const LoadResult result = load_text(text, environment, ranges);
  check((result.model == nullptr) == result.has_errors());
  for (const Diagnostic& each : result.diagnostics) {
    check(!each.message.empty());
    check((each.line == 0) == (each.column == 0));
  }
  const std::string rendered = render(result, "fuzz.yaml");
  check(rendered.find('\x1b') == std::string::npos);
  if (!result.model) return 0;
  const std::string expanded = expand(*result.model);
  const LoadResult again = load_text(expanded, environment, ranges);
  check(again.model != nullptr);
  check(expand(*again.model) == expanded);
  return 0;
}
