#include "proxy/observe/prometheus.h"

#include "proxy/observe/escape.h"

#include <charconv>

namespace telltale::proxy {

void append_double(std::string& out, double value) {
  char text[32];
  out.append(text, std::to_chars(text, text + sizeof text, value, std::chars_format::general).ptr);
}

void PrometheusWriter::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  out_.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
  out_.append(name).append(" ").append(type).append("\n");
}

void PrometheusWriter::begin(std::string_view suffix, Labels labels) {
  out_.append(name_).append(suffix);
  char separator = '{';
  for (const auto& [name, value] : labels) {
    out_ += separator;
    separator = ',';
    out_.append(name).append("=\"");
    append_label_escaped(out_, value);
    out_ += '"';
  }
  if (labels.size() > 0) out_ += '}';
  out_ += ' ';
}

void PrometheusWriter::sample(std::string_view suffix, Labels labels, std::uint64_t value) {
  begin(suffix, labels);
  char text[20];
  out_.append(text, std::to_chars(text, text + sizeof text, value).ptr);
  out_ += '\n';
}

void PrometheusWriter::sample(std::string_view suffix, Labels labels, double value) {
  begin(suffix, labels);
  append_double(out_, value);
  out_ += '\n';
}

void PrometheusWriter::gauge(Labels labels, std::uint64_t wrapped_value) {
  sample({}, labels, static_cast<std::int64_t>(wrapped_value) < 0 ? 0 : wrapped_value);
}

}  // namespace telltale::proxy
