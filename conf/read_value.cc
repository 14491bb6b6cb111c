// The values of the file, each by its row of the schema table.
#include "conf/object_reader.h"
#include "conf/suggest.h"
#include "conf/text.h"

#include <algorithm>

namespace telltale::conf {
namespace {

/// A scalar with its variables expanded. The view is valid while `node` and `storage` are.
std::optional<std::string_view> scalar(Context& context, const YamlNode& node, const Path& path, const Field& field,
                                       std::string& storage) {
  if (node.kind != YamlNode::Kind::scalar) {
    const std::string_view found = node.kind == YamlNode::Kind::map        ? "a map"
                                   : node.kind == YamlNode::Kind::sequence ? "a list"
                                                                           : "nothing";
    context.diagnostics.error(node, path, describe_type(field) + " is wanted here, not " + std::string(found),
                              "a value with `{`, `[` or `: ` in it goes in double quotes");
    return std::nullopt;
  }
  if (field.type == Type::format || node.text.find('$') == std::string::npos) return node.text;
  std::vector<ExpansionProblem> problems;
  storage = expand_environment(node.text, context.environment, problems);
  for (ExpansionProblem& each : problems) {
    context.diagnostics.error(node, path, std::move(each.message), std::move(each.hint));
  }
  if (!problems.empty()) return std::nullopt;
  if (const auto bad = find_bad_utf8(storage); bad != std::string_view::npos) {
    context.diagnostics.error(node, path, "an environment variable in it is not UTF-8 text");
    return std::nullopt;
  }
  return storage;
}

template <class T>
std::optional<T> parsed(Context& context, const YamlNode& node, const Path& path, std::string_view text,
                        Parsed<T> result) {
  if (!result.value) {
    context.diagnostics.error(node, path, quote(text) + " " + result.problem, std::move(result.hint));
  }
  return result.value;
}

/// `off` comes as `false` from tools that write YAML 1.1.
std::optional<std::string_view> match_word(const Field& field, const YamlNode& node, std::string_view text) {
  const auto words = split_words(field.words);
  for (const std::string_view word : words) {
    if (word == text || (word == "off" && text == "false" && !node.quoted)) return word;
  }
  return std::nullopt;
}

/// What a word of Kubernetes, HAProxy, nginx or Envoy is called here, if it is one of `words`; else the word itself.
std::string_view own_word(std::string_view text, const std::vector<std::string_view>& words) {
  constexpr std::pair<std::string_view, std::string_view> foreign[] = {
      {"preferclose", "prefer_same_zone"}, {"leastconn", "least_request"}, {"least_conn", "least_request"},
      {"roundrobin", "round_robin"},       {"rr", "round_robin"},          {"consistent_hash", "ring_hash"}};
  const std::string lower = to_lower(text);
  for (const auto& [theirs, ours] : foreign) {
    if (lower == theirs && std::ranges::find(words, ours) != words.end()) return ours;
  }
  return text;
}

bool read_word(Context& context, const YamlNode& node, const Path& path, const Field& field, std::string_view text,
               std::string& out) {
  if (const auto word = match_word(field, node, text)) {
    out = *word;
    return true;
  }
  const auto words = split_words(field.words);
  std::string choice;
  for (const std::string_view word : words) choice += (choice.empty() ? "" : ", ") + std::string(word);
  const bool map_too = field.object != nullptr;
  context.diagnostics.error(node, path,
                            quote(text) + " is not " + (words.size() > 1 ? "one of " : "") + choice +
                                (map_too            ? ", nor a map"
                                 : words.size() > 1 ? ""
                                                    : ", the only choice in this version"),
                            did_you_mean(own_word(text, words), words));
  return false;
}

bool in_range(Context& context, const YamlNode& node, const Path& path, const Field& field, std::string_view text,
              std::uint64_t value, std::string (*format)(std::uint64_t)) {
  if (value >= field.min && value <= field.max) return true;
  context.diagnostics.error(node, path, quote(text) + " is out of range",
                            format(field.min) + " to " + format(field.max));
  return false;
}

/// The name of a published list stands for its ranges.
bool read_list_name(Context& context, const YamlNode& node, const Path& path, std::size_t index, std::string_view name,
                    Ranges& out) {
  if (context.ranges == nullptr) return false;
  const PublishedList* list = context.ranges->find(name);
  if (list == nullptr) {
    std::vector<std::string_view> names;
    std::string all;
    for (const PublishedList& each : context.ranges->lists()) {
      names.push_back(each.name);
      all += (all.empty() ? "" : ", ") + each.name;
    }
    context.diagnostics.error(node, path, quote(name) + " is not an address range, nor a published list",
                              did_you_mean(name, names, "the lists are " + all));
    return false;
  }
  out.published.emplace_back(name);
  for (const net::Cidr& range : list->ranges) out.list.push_back({range, &node, index, list->name});
  return true;
}

bool list_wanted(Context& context, const YamlNode& node, const Path& path) {
  if (node.kind == YamlNode::Kind::sequence) return false;
  const std::string hint = node.kind == YamlNode::Kind::scalar ? "write [" + quote(node.text) + "]" : "";
  context.diagnostics.error(node, path, "a list is wanted here", hint);
  return true;
}

/// A list of what `parse` makes of a scalar.
template <class T, class Parse>
bool read_items(Context& context, const YamlNode& node, const Path& path, const Field& field, std::vector<T>& out,
                Parse parse) {
  if (list_wanted(context, node, path)) return false;
  bool right = true;
  std::vector<T> values;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const Path item_path(path, i);
    std::string storage;
    const auto text = scalar(context, *node.items[i], item_path, field, storage);
    const auto value = text ? parsed(context, *node.items[i], item_path, *text, parse(*text)) : std::nullopt;
    right = right && value;
    if (value) values.push_back(*value);
  }
  if (right) out = std::move(values);
  return right;
}

}  // namespace

RangeList Ranges::as_list() const {
  RangeList out{{}, includes_unix, published};
  for (const PlacedRange& each : list) {
    if (each.published.empty()) out.ranges.push_back(each.range);
  }
  return out;
}

net::CidrSet Ranges::set() const {
  std::vector<net::Cidr> ranges;
  ranges.reserve(list.size());
  for (const PlacedRange& each : list) ranges.push_back(each.range);
  return net::CidrSet(std::move(ranges), includes_unix);
}

bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field, std::string& out) {
  std::string storage;
  const auto text = scalar(context, node, path, field, storage);
  if (!text) return false;
  if (field.type == Type::word) return read_word(context, node, path, field, *text, out);
  if (field.type == Type::host) {
    auto host = parsed(context, node, path, *text, parse_host(*text));
    if (host) out = std::move(*host);
    return host.has_value();
  }
  if (field.type == Type::text) {
    if (text->empty()) {
      context.diagnostics.error(node, path, "is empty", "give a value, or remove the line");
      return false;
    }
    if (has_control(*text)) {
      context.diagnostics.error(node, path, quote(*text) + " has control characters");
      return false;
    }
  }
  out = *text;
  return true;
}

bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field, bool& out) {
  std::string storage;
  const auto text = scalar(context, node, path, field, storage);
  if (!text) return false;
  if (*text == "true" || *text == "false") {
    out = *text == "true";
    return true;
  }
  const std::string lower = to_lower(*text);
  const bool yes = lower == "yes" || lower == "on" || lower == "true" || lower == "1";
  const bool no = lower == "no" || lower == "off" || lower == "false" || lower == "0";
  context.diagnostics.error(node, path, quote(*text) + " is not true or false",
                            yes  ? "write true"
                            : no ? "write false"
                                 : "");
  return false;
}

bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field, std::uint64_t& out) {
  std::string storage;
  const auto text = scalar(context, node, path, field, storage);
  if (!text) return false;
  std::optional<std::uint64_t> value;
  if (field.type == Type::mode) {
    if (const auto mode = parsed(context, node, path, *text, parse_mode(*text))) value = *mode;
  } else if (field.type == Type::size) {
    value = parsed(context, node, path, *text, parse_size(*text));
    if (value && !in_range(context, node, path, field, *text, *value, format_size)) return false;
  } else {
    // `workers: auto` stands for the model's 0.
    if (!field.words.empty() && match_word(field, node, *text)) {
      out = 0;
      return true;
    }
    constexpr auto plain = [](std::uint64_t number) { return std::to_string(number); };
    auto number = parse_integer(*text);
    if (!number.value) number.hint = plain(field.min) + " to " + plain(field.max);
    value = parsed(context, node, path, *text, std::move(number));
    if (value && !in_range(context, node, path, field, *text, *value, plain)) return false;
  }
  if (value) out = *value;
  return value.has_value();
}

bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field, Milliseconds& out) {
  std::string storage;
  const auto text = scalar(context, node, path, field, storage);
  if (!text) return false;
  const auto value = parsed(context, node, path, *text, parse_duration(*text));
  constexpr auto format = [](std::uint64_t count) {
    return format_duration(Milliseconds(static_cast<std::int64_t>(count)));
  };
  if (!value || !in_range(context, node, path, field, *text, static_cast<std::uint64_t>(value->count()), format)) {
    return false;
  }
  out = *value;
  return true;
}

bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field, Address& out) {
  std::string storage;
  const auto text = scalar(context, node, path, field, storage);
  if (!text) return false;
  auto value =
      parsed(context, node, path, *text, field.type == Type::socket ? parse_socket(*text) : parse_address(*text));
  if (!value) return false;
  out = std::move(*value);
  return true;
}

bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field, Backend& out) {
  std::string storage;
  const auto text = scalar(context, node, path, field, storage);
  if (!text) return false;
  auto value = parsed(context, node, path, *text, parse_backend(*text));
  if (!value) return false;
  out = std::move(*value);
  return true;
}

bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field, Ranges& out) {
  if (list_wanted(context, node, path)) return false;
  bool right = true;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const YamlNode& item = *node.items[i];
    const Path item_path(path, i);
    std::string storage;
    const auto text = scalar(context, item, item_path, field, storage);
    if (text && *text == "unix") {
      out.includes_unix = true;
      continue;
    }
    if (text && is_list_name(*text)) {
      right = read_list_name(context, item, item_path, i, *text, out) && right;
      continue;
    }
    const auto range = text ? parsed(context, item, item_path, *text, parse_cidr(*text)) : std::nullopt;
    right = right && range;
    if (range) out.list.push_back({*range, &item, i, {}});
  }
  return right;
}

bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field,
                std::vector<std::string>& out) {
  if (list_wanted(context, node, path)) return false;
  Field item_field = field;
  item_field.type = field.type == Type::words ? Type::word : Type::text;
  bool right = true;
  std::vector<std::string> values;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    std::string value;
    const Path item_path(path, i);
    if (!read_value(context, *node.items[i], item_path, item_field, value)) {
      right = false;
    } else if (field.type == Type::words && std::ranges::find(values, value) != values.end()) {
      context.diagnostics.error(*node.items[i], item_path, quote(value) + " is given twice");
      right = false;
    } else {
      values.push_back(std::move(value));
    }
  }
  if (right) out = std::move(values);
  return right;
}

bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field,
                std::vector<StatusRange>& out) {
  return read_items(context, node, path, field, out, parse_statuses);
}

bool read_value(Context& context, const YamlNode& node, const Path& path, const Field& field,
                std::vector<net::IpPort>& out) {
  return read_items(context, node, path, field, out, [](std::string_view text) -> Parsed<net::IpPort> {
    const auto address = parse_address(text);
    if (!address.value) return {{}, address.problem, address.hint};
    const auto& ip = address.value->ip;
    if (ip && ip->port != 0 && !ip->address.is_unspecified()) return {*ip, {}, {}};
    return {{}, "is not the address and port of a server", "like 10.96.0.10:53"};
  });
}

}  // namespace telltale::conf
