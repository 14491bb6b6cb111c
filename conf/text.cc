#include "conf/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace telltale::conf {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Unit, 4> durations = {{{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
constexpr std::array<Unit, 4> sizes = {{{"", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}}};

struct NumberAndUnit {
  std::uint64_t number;
  std::string_view unit;
};
std::optional<NumberAndUnit> split_unit(std::string_view text) {
  NumberAndUnit result{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result.number);
  if (error != std::errc{}) return std::nullopt;
  result.unit = text.substr(static_cast<std::size_t>(end - text.data()));
  return result;
}

std::optional<std::uint64_t> multiply(std::uint64_t a, std::uint64_t b) {
  if (a != 0 && b > std::numeric_limits<std::int64_t>::max() / a) return std::nullopt;
  return a * b;
}

std::string format_unit(std::uint64_t value, std::span<const Unit> units) {
  for (std::size_t i = units.size(); i-- > 1;) {
    if (value != 0 && value % units[i].factor == 0) {
      return std::to_string(value / units[i].factor) + std::string(units[i].name);
    }
  }
  return std::to_string(value) + std::string(units[0].name);
}

}  // namespace

Parsed<Milliseconds> parse_duration(std::string_view text) {
  const auto parts = split_unit(text);
  if (parts && parts->unit.empty()) {
    return {{},
            "has no unit",
            "write " + std::string(text) + "s for seconds, " + std::string(text) + "ms for milliseconds"};
  }
  if (parts) {
    for (const Unit& unit : durations) {
      if (parts->unit != unit.name) continue;
      const auto value = multiply(parts->number, unit.factor);
      if (!value) return {{}, "is too long a duration", ""};
      return {Milliseconds{static_cast<std::int64_t>(*value)}, {}, {}};
    }
  }
  return {{}, "is not a duration", "a whole number and a unit: 250ms, 5s, 10m or 3h"};
}

std::string format_duration(Milliseconds duration) {
  if (duration.count() == 0) return "0s";
  return format_unit(static_cast<std::uint64_t>(duration.count()), durations);
}

Parsed<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::string_view hint = "a whole number of bytes, or with a unit: 64KiB, 1MiB or 10GiB";
  if (const auto parts = split_unit(text)) {
    for (const Unit& unit : sizes) {
      if (parts->unit != unit.name) continue;
      if (const auto value = multiply(parts->number, unit.factor)) return {*value, {}, {}};
      return {{}, "is too large a size", ""};
    }
    if (!parts->unit.empty()) {
      for (const Unit& unit : std::span(sizes).subspan(1)) {
        if (to_lower(parts->unit.substr(0, 1)) == to_lower(unit.name.substr(0, 1))) {
          return {{}, "is not a size", "write " + std::to_string(parts->number) + std::string(unit.name)};
        }
      }
    }
  }
  return {{}, "is not a size", std::string(hint)};
}

std::string format_size(std::uint64_t bytes) { return format_unit(bytes, sizes); }

Parsed<std::uint64_t> parse_integer(std::string_view text) {
  const auto parts = split_unit(text);
  if (!parts || !parts->unit.empty()) return {{}, "is not a whole number", ""};
  return {parts->number, {}, {}};
}

Parsed<unsigned> parse_mode(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with("0o")) digits.remove_prefix(2);
  unsigned mode = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), mode, 8);
  if (error != std::errc{} || end != digits.data() + digits.size() || mode > 0777) {
    return {{}, "is not a file mode", "octal permissions as chmod takes them, such as \"0660\""};
  }
  return {mode, {}, {}};
}

std::string format_mode(unsigned mode) {
  std::string text = "0000";
  for (std::size_t i = 4; i-- > 1; mode >>= 3) text[i] = static_cast<char>('0' + (mode & 7));
  return text;
}

std::string quote(std::string_view text) {
  constexpr std::size_t longest = 80;
  constexpr std::string_view hex = "0123456789abcdef";
  std::string result = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool continuation = (c & 0xc0) == 0x80;
    if (i >= longest && !continuation) return result + "…\"";
    const bool c1 = c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (text[i] == '\n') {
      result += "\\n";
    } else if (c < 0x20 || c == 0x7f || c1) {
      result += {'\\', 'x', hex[c >> 4], hex[c & 15]};
    } else {
      result += text[i];
    }
  }
  return result + '"';
}

std::string quote_yaml(std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string result = "\"";
  for (const char each : text) {
    const auto c = static_cast<unsigned char>(each);
    if (each == '"' || each == '\\') {
      result += {'\\', each};
    } else if (each == '\n') {
      result += "\\n";
    } else if (each == '\t') {
      result += "\\t";
    } else if (c < 0x20 || c == 0x7f) {
      result += {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    } else {
      result += each;
    }
  }
  return result + '"';
}

bool has_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) return true;
    if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
  }
  return false;
}

std::size_t find_bad_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || i + size > text.size()) return i;
    const auto second = static_cast<unsigned char>(text[i + 1]);
    // RFC 3629 4: no overlong forms, no surrogates, nothing above U+10FFFF.
    const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (second < low || second > high) return i;
    for (std::size_t k = 2; k < size; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return i;
    }
    i += size;
  }
  return std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_digit(c) || is_alpha(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool is_header_value(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

bool is_request_target(std::string_view text) {
  return text.starts_with('/') && std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

std::string to_lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;  // RFC 1035 2.3.4
  bool numeric = true;
  std::size_t label = 0;
  for (const char c : text) {
    if (c == '.') {
      if (label == 0) return false;
      label = 0, numeric = true;
      continue;
    }
    if (!is_digit(c) && !is_alpha(c) && c != '-' && c != '_') return false;
    if (++label > 63) return false;
    numeric = numeric && is_digit(c);
  }
  // A last label of digits is an IPv4 address gone wrong, not a name.
  return label != 0 && !numeric;
}

bool is_dns_name(std::string_view text) {
  return is_host_name(text.ends_with('.') ? text.substr(0, text.size() - 1) : text);
}

Parsed<StatusRange> parse_statuses(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = parse_integer(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_integer(text.substr(dash + 1));
  if (!first.value || !last.value) {
    const bool is_class = text.size() == 3 && to_lower(text.substr(1)) == "xx" && is_digit(text[0]);
    const std::string digit(text.substr(0, is_class ? 1 : 0));
    return {{},
            "is neither a status code nor a range of them",
            is_class ? "write " + digit + "00-" + digit + "99" : "like 503 or 500-599"};
  }
  if (*first.value < 100 || *last.value > 599 || *first.value > 599) return {{}, "is out of range", "100 to 599"};
  if (*first.value > *last.value) return {{}, "ends before it begins", ""};
  return {StatusRange{static_cast<std::uint16_t>(*first.value), static_cast<std::uint16_t>(*last.value)}, {}, {}};
}

std::string format_statuses(const StatusRange& range) {
  const std::string first = std::to_string(range.first);
  return range.first == range.last ? first : first + "-" + std::to_string(range.last);
}

}  // namespace telltale::conf
