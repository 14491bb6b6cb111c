#include "conf/environment.h"

#include "conf/text.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace telltale::conf {
namespace {

constexpr std::size_t max_expanded = 16u << 20;

bool is_variable_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && letter(name[0]) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

/// `reference` is what stands between the braces.
void append_variable(std::string& out, std::string_view reference, const Environment& environment,
                     std::vector<ExpansionProblem>& problems) {
  const auto dash = reference.find(":-");
  const std::string_view name = reference.substr(0, dash);
  if (!is_variable_name(name)) {
    problems.push_back({quote(name) + " is not the name of an environment variable",
                        "${NAME} or ${NAME:-default}; write $${ for a literal ${"});
    return;
  }
  const auto value = environment(name);
  if (dash != std::string_view::npos) {
    out += value && !value->empty() ? *value : std::string(reference.substr(dash + 2));
  } else if (value) {
    out += *value;
  } else {
    problems.push_back({"the environment variable " + quote(name) + " is not set",
                        "set it, or give a default: ${" + std::string(name) + ":-…}"});
  }
}

}  // namespace

std::string expand_environment(std::string_view text, const Environment& environment,
                               std::vector<ExpansionProblem>& problems) {
  std::string out;
  while (!text.empty()) {
    const auto dollar = text.find('$');
    out.append(text.substr(0, dollar));
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar);
    if (text.starts_with("$${")) {
      out += "${";
      text.remove_prefix(3);
    } else if (text.starts_with("${")) {
      if (out.size() > max_expanded) {
        problems.push_back({"with its variables expanded it is too long", "at most 16 MiB"});
        break;
      }
      const auto close = text.find('}');
      if (close == std::string_view::npos) {
        problems.push_back({"a `${` without its `}`", "write $${ for a literal ${"});
        break;
      }
      append_variable(out, text.substr(2, close - 2), environment, problems);
      text.remove_prefix(close + 1);
    } else {
      out += '$';
      text.remove_prefix(1);
    }
  }
  return out;
}

Environment process_environment() {
  return [](std::string_view name) {
    const char* value = std::getenv(std::string(name).c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
}

std::string escape_environment(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("${")) out += '$';
    out += text[i];
  }
  return out;
}

}  // namespace telltale::conf
