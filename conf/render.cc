#include "conf/loader.h"

#include <algorithm>
#include <string>

namespace telltale::conf {
namespace {

/// A line as a terminal may see it: tabs and control characters are one blank or mark each, so that a caret below
/// stands where it should; the window around the place is bounded.
class Excerpt {
 public:
  Excerpt(std::string_view line, std::size_t column) {
    constexpr std::size_t before = 100, width = 160;
    const std::size_t place = std::min(column - 1, line.size());
    std::size_t begin = place > before ? place - before : 0;
    while (begin > 0 && is_continuation(line[begin])) --begin;
    std::size_t end = std::min(line.size(), begin + width);
    while (end < line.size() && is_continuation(line[end])) ++end;
    if (begin > 0) text_ += "…", ++caret_;
    for (std::size_t i = begin; i < end; ++i) append(line, i, place);
    if (end < line.size()) text_ += "…";
  }
  const std::string& text() const { return text_; }
  std::string caret() const { return std::string(caret_, ' ') + '^'; }

 private:
  static bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }
  void append(std::string_view line, std::size_t i, std::size_t place) {
    const auto c = static_cast<unsigned char>(line[i]);
    const bool c1 = i > 0 && static_cast<unsigned char>(line[i - 1]) == 0xc2 && c >= 0x80 && c < 0xa0;
    if (i < place && !is_continuation(line[i])) ++caret_;
    if (c1) {
      text_.back() = '?';
    } else if (c == '\t') {
      text_ += ' ';
    } else {
      text_ += c < 0x20 || c == 0x7f ? '?' : line[i];
    }
  }
  std::string text_;
  std::size_t caret_ = 0;
};

/// Lines of a text that are asked for in ascending order.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  std::string_view at(std::size_t line) {
    while (number_ < line && !done_) {
      const auto end = rest_.find('\n');
      current_ = rest_.substr(0, end);
      done_ = end == std::string_view::npos;
      rest_ = done_ ? std::string_view() : rest_.substr(end + 1);
      ++number_;
    }
    if (number_ != line) return {};
    return current_.ends_with('\r') ? current_.substr(0, current_.size() - 1) : current_;
  }

 private:
  std::string_view rest_, current_;
  std::size_t number_ = 0;
  bool done_ = false;
};

}  // namespace

bool LoadResult::has_errors() const {
  return std::ranges::any_of(diagnostics, [](const Diagnostic& d) { return d.severity == Severity::error; });
}
bool LoadResult::has_warnings() const {
  return std::ranges::any_of(diagnostics, [](const Diagnostic& d) { return d.severity == Severity::warning; });
}

std::string render(const LoadResult& result, std::string_view file_name) {
  std::string out;
  Lines lines(result.text);
  for (const Diagnostic& d : result.diagnostics) {
    out.append(file_name);
    if (d.line != 0) out += ":" + std::to_string(d.line) + ":" + std::to_string(d.column);
    out += d.severity == Severity::error ? ": error: " : ": warning: ";
    if (!d.path.empty()) out += d.path + ": ";
    out += d.message + "\n";
    if (d.line != 0) {
      std::string number = std::to_string(d.line);
      if (number.size() < 5) number.insert(0, 5 - number.size(), ' ');
      const Excerpt excerpt(lines.at(d.line), d.column);
      out += number + " | " + excerpt.text() + "\n";
      out += std::string(number.size(), ' ') + " | " + excerpt.caret() + "\n";
    }
    if (!d.hint.empty()) out += "      hint: " + d.hint + "\n";
  }
  return out;
}

}  // namespace telltale::conf
