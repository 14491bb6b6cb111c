#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace telltale::proxy {

/// Writes the Prometheus text exposition format 0.0.4. All samples of a family come between its family() and the next:
/// the format wants them together.
class PrometheusWriter {
 public:
  using Label = std::pair<std::string_view, std::string_view>;
  using Labels = std::initializer_list<Label>;

  /// `type`: counter, gauge or histogram. `name` must outlive the family's samples.
  void family(std::string_view name, std::string_view type, std::string_view help);
  void sample(Labels labels, std::uint64_t value) { sample({}, labels, value); }
  /// `suffix` as in `_bucket`.
  void sample(std::string_view suffix, Labels labels, std::uint64_t value);
  void sample(std::string_view suffix, Labels labels, double value);
  /// Gauges that workers add to and take from; a passing imbalance between them reads as 0.
  void gauge(Labels labels, std::uint64_t wrapped_value);

  std::string take() { return std::move(out_); }

 private:
  void begin(std::string_view suffix, Labels labels);

  std::string_view name_;
  std::string out_;
};

/// The shortest form that reads back the same; 0.0005, not 5e-04.
void append_double(std::string& out, double value);

}  // namespace telltale::proxy
