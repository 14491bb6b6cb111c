#include "conf/published_ranges.h"

#include "conf/file.h"
#include "conf/text.h"

#include <algorithm>

namespace telltale::conf {
namespace {

constexpr std::size_t max_file_octets = 1024 * 1024;

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool is_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  return std::ranges::count_if(text, is_digit) == 8;
}

/// `key: value` after a known key; empty if it is none of them.
bool take_field(std::string_view line, std::string_view key, std::string_view& value) {
  if (!line.starts_with(key)) return false;
  value = trimmed(line.substr(key.size()));
  return true;
}

/// Reads line by line; problem() of the first bad one.
class Reader {
 public:
  RangesResult run(std::string_view text) {
    for (line_number_ = 1; !text.empty(); ++line_number_) {
      const std::size_t end = text.find('\n');
      const std::string_view line = text.substr(0, end);
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
      if (!take(trimmed(line.substr(0, line.find('#'))))) return problem();
    }
    if (lists_.empty()) return {nullptr, "there is no list in it: one begins with [name]"};
    if (!end_list()) return problem();
    return {std::make_shared<const PublishedRanges>(std::move(lists_)), {}};
  }

 private:
  RangesResult problem() const { return {nullptr, "line " + std::to_string(line_number_) + ": " + problem_}; }
  bool fail(std::string text) {
    problem_ = std::move(text);
    return false;
  }

  bool take(std::string_view line) {
    if (line.empty()) return true;
    if (line.starts_with('[')) return begin_list(line);
    if (lists_.empty()) return fail(quote(line) + " stands before the first [name]");
    PublishedList& list = lists_.back();
    std::string_view value;
    if (take_field(line, "date:", value)) {
      if (!is_date(value)) return fail(quote(value) + " is not a date like 2025-10-31");
      list.date = value;
      return true;
    }
    if (take_field(line, "source:", value)) {
      if (has_control(value) || find_bad_utf8(value) != std::string_view::npos)
        return fail("source: is not plain text");
      list.source = value;
      return true;
    }
    return take_range(list, line);
  }

  bool take_range(PublishedList& list, std::string_view line) {
    const auto range = parse_cidr(line);
    if (!range.value) return fail(quote(line) + " " + range.problem);
    if (range.value->prefix_length() == 0) return fail(quote(line) + " holds every address");
    list.ranges.push_back(*range.value);
    return true;
  }

  bool begin_list(std::string_view line) {
    if (!end_list()) return false;
    const std::string_view name = line.ends_with(']') ? line.substr(1, line.size() - 2) : std::string_view();
    if (!is_list_name(name)) return fail(quote(line) + " is not [name] with lower-case letters, digits and `-`");
    if (std::ranges::find(lists_, name, &PublishedList::name) != lists_.end()) {
      return fail("the list " + quote(name) + " is given twice");
    }
    lists_.push_back({std::string(name), {}, {}, {}});
    return true;
  }

  bool end_list() {
    if (lists_.empty() || !lists_.back().ranges.empty()) return true;
    return fail("the list " + quote(lists_.back().name) + " has no range");
  }

  std::vector<PublishedList> lists_;
  std::size_t line_number_ = 0;
  std::string problem_;
};

}  // namespace

const PublishedList* PublishedRanges::find(std::string_view name) const {
  const auto found = std::ranges::find(lists_, name, &PublishedList::name);
  return found == lists_.end() ? nullptr : &*found;
}

bool is_list_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && is_lower(text.front()) && text != "unix" &&
         std::ranges::all_of(text, [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}

RangesResult parse_ranges(std::string_view text) { return Reader().run(text); }

RangesResult load_ranges(const std::string& path) {
  const FileText file = read_regular_file(path, max_file_octets);
  return file.text ? parse_ranges(*file.text) : RangesResult{nullptr, file.problem};
}

std::shared_ptr<const PublishedRanges> shipped_ranges() {
  // Its form is a unit test's; were it broken in a build all the same, no list would be known.
  static const std::shared_ptr<const PublishedRanges> shipped = [] {
    RangesResult result = parse_ranges(shipped_ranges_text());
    return result.ranges ? std::move(result.ranges) : std::make_shared<const PublishedRanges>();
  }();
  return shipped;
}

}  // namespace telltale::conf
