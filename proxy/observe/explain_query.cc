#include "proxy/observe/explain_query.h"

#include <algorithm>
#include <charconv>

namespace telltale::proxy {
namespace {

constexpr std::string_view page = "/explain";
constexpr std::size_t half_id_digits = 16;

template <class T>
std::optional<T> parse_number(std::string_view text, int base) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void append_half(std::string& out, std::uint64_t value) {
  for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789abcdef"[value >> shift & 0xf];
}

void read_parameter(std::string_view parameter, ExplainQuery& query) {
  const std::string_view name = parameter.substr(0, parameter.find('='));
  const std::string_view value = parameter.substr(std::min(parameter.size(), name.size() + 1));
  if (name == "last") {
    const auto last = parse_number<std::size_t>(value, 10);
    if (last && *last >= 1 && *last <= ExplainQuery::max_last) {
      query.last = *last;
    } else {
      query.error = "last is a number from 1 to " + std::to_string(ExplainQuery::max_last);
    }
  } else if (name == "format" && (value == "text" || value == "json")) {
    query.as_text = value == "text";
  } else {
    query.error = "the parameters are last=N and format=text or format=json";
  }
}

}  // namespace

std::optional<ExplainQuery> parse_explain_query(std::string_view target, std::string_view accept,
                                                std::string_view user_agent) {
  std::string_view path = target.substr(0, target.find('?'));
  std::string_view rest = target.substr(std::min(target.size(), path.size() + 1));
  if (!path.starts_with(page)) return std::nullopt;
  path.remove_prefix(page.size());
  if (!path.empty() && !path.starts_with('/')) return std::nullopt;

  ExplainQuery query;
  query.as_text = accept.find("text/plain") != std::string_view::npos || user_agent.starts_with("curl/");
  if (accept.find("application/json") != std::string_view::npos) query.as_text = false;
  if (path.size() > 1) {
    query.id = parse_request_id(path.substr(1));
    if (!query.id) query.error = "a request id has 32 hexadecimal digits, as in the access log";
  }
  while (!rest.empty()) {
    const std::string_view parameter = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), parameter.size() + 1));
    read_parameter(parameter, query);
  }
  return query;
}

std::optional<ExplainQuery::Id> parse_request_id(std::string_view text) {
  if (text.size() != 2 * half_id_digits) return std::nullopt;
  const auto high = parse_number<std::uint64_t>(text.substr(0, half_id_digits), 16);
  const auto low = parse_number<std::uint64_t>(text.substr(half_id_digits), 16);
  if (!high || !low) return std::nullopt;
  return ExplainQuery::Id{*high, *low};
}

std::string format_request_id(std::uint64_t high, std::uint64_t low) {
  std::string out;
  append_half(out, high);
  append_half(out, low);
  return out;
}

}  // namespace telltale::proxy
