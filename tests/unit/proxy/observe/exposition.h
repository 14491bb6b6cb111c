#pragma once

#include <cctype>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

namespace telltale::proxy::test {

/// A strict reader of the Prometheus text exposition format 0.0.4: throws std::runtime_error for what a scraper might
/// refuse, or the format's description forbids: a family without HELP and TYPE before its samples, apart, or twice; a
/// series twice; a histogram that does not add up.
class Exposition {
 public:
  using Labels = std::map<std::string, std::string>;

  explicit Exposition(std::string_view text) {
    if (!text.ends_with('\n')) fail("the last line must end with a line feed", text);
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      read_line(text.substr(0, end));
      text.remove_prefix(end + 1);
    }
    for (const auto& [name, type] : types_) {
      if (type == "histogram") check_histogram(name);
    }
  }

  std::optional<double> value(const std::string& name, const Labels& labels) const {
    const auto family = series_.find(name);
    if (family == series_.end()) return std::nullopt;
    const auto sample = family->second.find(labels);
    return sample == family->second.end() ? std::nullopt : std::optional(sample->second);
  }
  std::string type(const std::string& family) const {
    const auto found = types_.find(family);
    return found == types_.end() ? "" : found->second;
  }
  const std::map<std::string, std::string>& types() const { return types_; }
  std::size_t series_count(const std::string& name) const {
    const auto found = series_.find(name);
    return found == series_.end() ? 0 : found->second.size();
  }

 private:
  [[noreturn]] static void fail(const std::string& why, std::string_view line) {
    throw std::runtime_error(why + ": " + std::string(line));
  }

  void read_line(std::string_view line) {
    if (line.starts_with("# HELP ")) return read_help(line);
    if (line.starts_with("# TYPE ")) return read_type(line);
    if (line.empty() || line.starts_with('#')) fail("neither HELP, TYPE nor a sample", line);
    read_sample(line);
  }

  void read_help(std::string_view line) {
    const std::string name(line.substr(7, line.find(' ', 7) - 7));
    if (!helps_.insert(name).second) fail("HELP twice", line);
    current_.clear();
  }

  void read_type(std::string_view line) {
    const std::size_t space = line.find(' ', 7);
    if (space == std::string_view::npos) fail("TYPE without a type", line);
    const std::string name(line.substr(7, space - 7));
    const std::string kind(line.substr(space + 1));
    if (kind != "counter" && kind != "gauge" && kind != "histogram") fail("unknown type", line);
    if (!helps_.contains(name)) fail("TYPE without HELP", line);
    if (!types_.emplace(name, kind).second) fail("TYPE twice", line);
    if (kind == "counter" && !name.ends_with("_total")) fail("a counter that is not called _total", line);
    if (kind != "counter" && name.ends_with("_total")) fail("only a counter is called _total", line);
    current_ = name;
  }

  void read_sample(std::string_view line) {
    const std::size_t name_end = line.find_first_of("{ ");
    if (name_end == std::string_view::npos) fail("a sample without a value", line);
    const std::string name(line.substr(0, name_end));
    check_name(name, line, true);
    check_family(name, line);
    std::string_view rest = line.substr(name_end);
    Labels labels;
    if (rest.starts_with('{')) labels = read_labels(rest, line);
    if (!rest.starts_with(' ')) fail("no space before the value", line);
    rest.remove_prefix(1);
    double number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc() || end != rest.data() + rest.size()) fail("not a number", line);
    if (!series_[name].emplace(labels, number).second) fail("a series twice", line);
  }

  static void check_name(std::string_view name, std::string_view line, bool colon) {
    if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) fail("not a name", line);
    for (const char c : name) {
      if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && !(colon && c == ':')) fail("not a name", line);
    }
  }

  void check_family(const std::string& name, std::string_view line) const {
    if (current_.empty()) fail("a sample without TYPE", line);
    if (types_.at(current_) != "histogram") {
      if (name != current_) fail("not of the family above it", line);
    } else if (name != current_ + "_bucket" && name != current_ + "_sum" && name != current_ + "_count") {
      fail("not of the histogram above it", line);
    }
  }

  /// Takes `{…}` off the front of `rest`.
  static Labels read_labels(std::string_view& rest, std::string_view line) {
    Labels labels;
    do {
      rest.remove_prefix(1);  // { or ,
      const std::size_t equals = rest.find("=\"");
      if (equals == std::string_view::npos) fail("a label without a value", line);
      const std::string name(rest.substr(0, equals));
      check_name(name, line, false);
      rest.remove_prefix(equals + 2);
      if (!labels.emplace(name, read_quoted(rest, line)).second) fail("a label twice", line);
    } while (rest.starts_with(','));
    if (!rest.starts_with('}')) fail("labels that do not end", line);
    rest.remove_prefix(1);
    return labels;
  }

  /// Takes a label value and its closing quote off the front of `rest`.
  static std::string read_quoted(std::string_view& rest, std::string_view line) {
    std::string value;
    while (!rest.empty() && rest[0] != '"') {
      if (rest[0] == '\\') {
        rest.remove_prefix(1);
        if (rest.empty() || std::string_view("\\\"n").find(rest[0]) == std::string_view::npos) fail("bad escape", line);
        value += rest[0] == 'n' ? '\n' : rest[0];
      } else {
        value += rest[0];
      }
      rest.remove_prefix(1);
    }
    if (rest.empty()) fail("a label value that does not end", line);
    rest.remove_prefix(1);
    return value;
  }

  /// Each series of a histogram: buckets that do not fall, the last one +Inf, which is the count; and a sum.
  void check_histogram(const std::string& name) const {
    std::map<Labels, std::map<double, double>> buckets;
    for (const auto& [labels, number] : series_.at(name + "_bucket")) {
      Labels others = labels;
      const std::string bound = others.at("le");
      others.erase("le");
      double le = 0;
      if (bound != "+Inf") {
        const auto [end, error] = std::from_chars(bound.data(), bound.data() + bound.size(), le);
        if (error != std::errc() || end != bound.data() + bound.size()) fail("le is not a number", bound);
      } else {
        le = infinity;
      }
      buckets[others][le] = number;
    }
    for (const auto& [labels, bounds] : buckets) {
      double last = 0;
      for (const auto& [bound, number] : bounds) {
        if (number < last) fail("buckets are not cumulative", name);
        last = number;
      }
      if (bounds.rbegin()->first != infinity) fail("no +Inf bucket", name);
      if (value(name + "_count", labels) != last) fail("the count is not that of the +Inf bucket", name);
      if (!value(name + "_sum", labels)) fail("no sum", name);
    }
  }

  static constexpr double infinity = 1e300;

  std::string current_;
  std::set<std::string> helps_;
  std::map<std::string, std::string> types_;
  std::map<std::string, std::map<Labels, double>> series_;
};

}  // namespace telltale::proxy::test
