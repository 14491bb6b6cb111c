// Any text as a ranges file: the parser never crashes, and what it read it reads again when written out.
#include "conf/published_ranges.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void check(bool condition) {
  if (!condition) std::abort();
}

std::string written(const telltale::conf::PublishedRanges& ranges) {
  std::string text;
  for (const auto& list : ranges.lists()) {
    text += "[" + list.name + "]\n";
    if (!list.date.empty()) text += "date: " + list.date + "\n";
    if (!list.source.empty()) text += "source: " + list.source + "\n";
    for (const auto& range : list.ranges) text += range.to_string() + "\n";
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace telltale::conf;
  const RangesResult result = parse_ranges(std::string_view(reinterpret_cast<const char*>(data), size));
  check((result.ranges == nullptr) == !result.problem.empty());
  check(result.problem.find('\n') == std::string::npos && result.problem.find('\x1b') == std::string::npos);
  if (!result.ranges) return 0;
  for (const PublishedList& list : result.ranges->lists()) {
    check(is_list_name(list.name) && !list.ranges.empty());
    for (const auto& range : list.ranges) check(range.prefix_length() > 0);
  }
  const RangesResult again = parse_ranges(written(*result.ranges));
  check(again.ranges != nullptr && *again.ranges == *result.ranges);
  return 0;
}
