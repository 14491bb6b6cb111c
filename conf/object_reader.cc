#include "conf/object_reader.h"

#include "conf/suggest.h"
#include "conf/text.h"

#include <cassert>

namespace telltale::conf {
namespace {

std::string_view kind_of(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::map:
      return "a map";
    case YamlNode::Kind::sequence:
      return "a list";
    case YamlNode::Kind::scalar:
      return "a single value";
    case YamlNode::Kind::null:
      break;
  }
  return "nothing";
}

std::vector<std::string_view> names_of(const Object& object) {
  std::vector<std::string_view> names;
  for (const Field& field : object.fields) names.push_back(field.name);
  return names;
}

std::string list_of(const std::vector<std::string_view>& words, std::string_view last) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " " + std::string(last) + " " : ", ";
    out += words[i];
  }
  return out;
}

}  // namespace

ObjectReader::ObjectReader(Context& context, const YamlNode& node, const Path& path, const Object& object)
    : context_(context), node_(node), path_(path), object_(object) {
  assert(object.fields.size() <= max_fields);
  if (node.kind == YamlNode::Kind::map) {
    for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) take(*node.items[i], *node.items[i + 1]);
  } else if (node.kind != YamlNode::Kind::null) {
    error_here("a map is wanted here, not " + std::string(kind_of(node)),
               "its fields are " + list_of(names_of(object), "and"));
    return;  // what is missing in it is not worth saying
  }
  check_presence();
}

std::size_t ObjectReader::index_of(std::string_view field) const {
  for (std::size_t i = 0; i < object_.fields.size(); ++i) {
    if (object_.fields[i].name == field) return i;
  }
  assert(false && "a field that the table has not");
  return 0;
}

void ObjectReader::take(const YamlNode& key, const YamlNode& value) {
  for (std::size_t i = 0; i < object_.fields.size(); ++i) {
    const Field& field = object_.fields[i];
    if (field.name != key.text) continue;
    const bool whole = field.type == Type::object || field.type == Type::objects || field.type == Type::endpoints ||
                       field.type == Type::ranges || field.type == Type::names || field.type == Type::words ||
                       field.type == Type::texts || field.type == Type::templates || field.type == Type::statuses ||
                       field.type == Type::addresses;
    // `health:` with nothing below is a probe with its defaults; a list with nothing below is as if not given.
    if (value.kind != YamlNode::Kind::null || field.type == Type::object) {
      values_[i] = &value;
    } else if (!whole) {
      context_.diagnostics.error(key, Path(path_, key.text), "has no value", "give one, or remove the line");
    }
    return;
  }
  const std::string shown = shown_name(key.text);
  const Path path(path_, shown);
  if (context_.diagnostics.full()) return context_.diagnostics.error(key, path, {});
  if (is_planned(key.text)) {
    return context_.diagnostics.error(key, path, quote(key.text) + " is not supported in this version");
  }
  const auto names = names_of(object_);
  if (const auto meant = nearest(key.text, names); !meant.empty()) misspelt_[index_of(meant)] = true;
  context_.diagnostics.error(key, path, "unknown field " + quote(key.text),
                             did_you_mean(key.text, names, "the fields here are " + list_of(names, "and")));
}

void ObjectReader::check_presence() {
  for (const Field& field : object_.fields) {
    // One that is given without a value, or misspelt, was reported already.
    if (field.required && !node_.find(field.name) && !misspelt_[index_of(field.name)]) {
      error_here("the field " + quote(field.name) + " is missing", std::string(field.meaning));
    }
  }
  if (object_.one_of.empty()) return;
  const auto choices = split_words(object_.one_of);
  std::vector<std::string_view> given;
  for (const std::string_view choice : choices) {
    if (has(choice) || misspelt_[index_of(choice)]) given.push_back(choice);
  }
  if (given.empty()) {
    error_here("one of " + list_of(choices, "or") + " is wanted here");
  } else if (given.size() > 1) {
    error(given[1], "only one of " + list_of(choices, "or") + " can be given, not " + list_of(given, "and"));
  }
}

bool ObjectReader::is_list(std::string_view field, const YamlNode& node) {
  if (node.kind == YamlNode::Kind::sequence) return true;
  const std::string hint =
      node.kind == YamlNode::Kind::scalar ? "write [" + quote(node.text) + "]" : "each item starts with `- `";
  error(field, "a list is wanted here, not " + std::string(kind_of(node)), hint);
  return false;
}

bool ObjectReader::is_map_of_entries(std::string_view field, const YamlNode& node) {
  if (node.kind != YamlNode::Kind::map) {
    error(field, "a map is wanted here, not " + std::string(kind_of(node)), "lines of `name: value`");
    return false;
  }
  const std::uint64_t most = object_.fields[index_of(field)].max;
  if (node.items.size() / 2 <= most) return true;
  error(field, "too many entries", "at most " + std::to_string(most));
  return false;
}

std::string ObjectReader::shown_name(std::string_view name) {
  return is_token(name) && name.size() <= 64 ? std::string(name) : quote(name);
}

bool ObjectReader::read_word_instead(std::string_view field, std::string& word) {
  const YamlNode* node = value(field);
  if (node == nullptr || node->kind != YamlNode::Kind::scalar) return false;
  Field row = object_.fields[index_of(field)];
  row.type = Type::word;
  read_value(context_, *node, Path(path_, field), row, word);
  return true;
}

}  // namespace telltale::conf
