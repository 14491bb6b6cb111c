// What the schema table says in other forms: words for people, the JSON Schema, the Markdown reference.
#include "conf/loader.h"
#include "conf/presets.h"
#include "conf/schema.h"
#include "conf/text.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>

namespace telltale::conf {
namespace {

namespace json = boost::json;

std::string join(const std::vector<std::string_view>& parts, std::string_view separator, std::string_view around = {}) {
  std::string out;
  for (const std::string_view part : parts) {
    if (!out.empty()) out += separator;
    out.append(around).append(part).append(around);
  }
  return out;
}

std::string range_of(const Field& field, std::string (*format)(std::uint64_t)) {
  if (field.max >= UINT64_MAX / 2) return {};
  return ", " + format(field.min) + " to " + format(field.max);
}
std::string plain(std::uint64_t value) { return std::to_string(value); }
std::string as_duration(std::uint64_t value) { return format_duration(Milliseconds(static_cast<std::int64_t>(value))); }

std::string base_type(const Field& field) {
  switch (field.type) {
    case Type::text:
    case Type::prose:
      return "text";
    case Type::format:
      return "template";
    case Type::boolean:
      return "boolean";
    case Type::integer:
      return "integer" + range_of(field, plain);
    case Type::size:
      return "size" + range_of(field, format_size);
    case Type::duration:
      return "duration" + range_of(field, as_duration);
    case Type::mode:
      return "octal file mode";
    case Type::word:
      return "one of " + join(split_words(field.words), ", ", "`");
    case Type::words:
      return "list of " + join(split_words(field.words), ", ", "`");
    case Type::names:
      return "list of names";
    case Type::texts:
      return "map of texts, at most " + plain(field.max);
    case Type::address:
      return "address";
    case Type::addresses:
      return "list of IP addresses with ports";
    case Type::socket:
      return "port or address";
    case Type::backend:
      return "address, or host name and port";
    case Type::host:
      return "IP address or host name";
    case Type::statuses:
      return "list of status codes and ranges";
    case Type::ranges:
      return "list of address ranges, names of published lists, or `unix`";
    case Type::object:
      return "map";
    case Type::objects:
      return "list of maps";
    case Type::endpoints:
      return "list of addresses or maps";
    case Type::templates:
      return "map of templates, at most " + plain(field.max);
  }
  return {};
}

bool words_stand_beside(const Field& field) {
  return !field.words.empty() && field.type != Type::word && field.type != Type::words;
}

// ---- JSON Schema ----

json::object string_with(std::string_view pattern) { return {{"type", "string"}, {"pattern", pattern}}; }
/// `services[].nodes[]` as a name that needs no escapes in a reference: services.nodes
std::string definition_name(const Object& object) {
  std::string name(object.name);
  std::erase_if(name, [](char c) { return c == '[' || c == ']'; });
  return name;
}
json::object reference_to(const Object& object) { return {{"$ref", "#/$defs/" + definition_name(object)}}; }
json::array words_array(const Field& field) {
  json::array values;
  for (const std::string_view word : split_words(field.words)) {
    values.emplace_back(word);
    if (word == "true" || word == "false") values.emplace_back(word == "true");
    if (const auto number = parse_integer(word).value) values.emplace_back(*number);
    if (word == "off") values.emplace_back(false);
  }
  return values;
}
json::object list_of(json::value items) { return {{"type", "array"}, {"items", std::move(items)}}; }

/// Every scalar may also be (or hold) a `${VARIABLE}`.
json::object or_variable(std::initializer_list<json::value_ref> choices) {
  json::array any(choices);
  any.push_back(json::object{{"$ref", "#/$defs/variable"}});
  return {{"anyOf", std::move(any)}};
}

json::object base_schema(const Field& field) {
  switch (field.type) {
    case Type::text:
    case Type::prose:
    case Type::format:
    case Type::host:
    case Type::address:
    case Type::backend:
      return {{"type", "string"}};
    case Type::socket:
      return {{"type", json::array{"string", "integer"}}};
    case Type::boolean:
      return or_variable({json::object{{"type", "boolean"}}});
    case Type::integer:
      return or_variable({json::object{{"type", "integer"}, {"minimum", field.min}, {"maximum", field.max}}});
    case Type::size:
      return or_variable(
          {json::object{{"type", "integer"}, {"minimum", field.min}}, string_with("^[0-9]+(KiB|MiB|GiB)?$")});
    case Type::duration:
      return or_variable({string_with("^[0-9]+(ms|s|m|h)$")});
    case Type::mode:
      return or_variable({string_with("^(0o)?[0-7]{1,4}$"), json::object{{"type", "integer"}}});
    case Type::word:
      return or_variable({json::object{{"enum", words_array(field)}}});
    case Type::words:
      return list_of(or_variable({json::object{{"enum", words_array(field)}}}));
    case Type::names:
    case Type::ranges:
    case Type::addresses:
      return list_of(json::object{{"type", "string"}});
    case Type::statuses:
      return list_of(or_variable({json::object{{"type", "integer"}, {"minimum", 100}, {"maximum", 599}},
                                  string_with("^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$")}));
    case Type::texts:
      return {{"type", "object"},
              {"maxProperties", field.max},
              {"additionalProperties", json::object{{"type", json::array{"string", "integer"}}}}};
    case Type::object:
      return reference_to(*field.object);
    case Type::objects:
      return list_of(reference_to(*field.object));
    case Type::endpoints:
      return list_of(
          json::object{{"anyOf", json::array{json::object{{"type", "string"}}, reference_to(*field.object)}}});
    case Type::templates:
      return {
          {"type", "object"}, {"maxProperties", field.max}, {"additionalProperties", json::object{{"type", "string"}}}};
  }
  return {};
}

json::object field_schema(const Field& field) {
  json::object schema = base_schema(field);
  if (words_stand_beside(field)) {
    schema = or_variable({json::object{{"enum", words_array(field)}}, std::move(schema)});
  }
  schema["description"] = field.meaning;
  if (!field.fallback.empty())
    schema["description"] = std::string(field.meaning) + " Default: " + std::string(field.fallback) + ".";
  return schema;
}

json::object object_schema(const Object& object) {
  json::object properties;
  json::array required;
  for (const Field& field : object.fields) {
    properties[field.name] = field_schema(field);
    if (field.required) required.emplace_back(field.name);
  }
  json::object schema{{"title", object.title}, {"type", "object"}, {"additionalProperties", false}};
  schema["properties"] = std::move(properties);
  if (!required.empty()) schema["required"] = std::move(required);
  if (!object.one_of.empty()) {
    json::array choices;
    for (const std::string_view each : split_words(object.one_of)) {
      choices.push_back(json::object{{"required", json::array{each}}});
    }
    schema["oneOf"] = std::move(choices);
  }
  return schema;
}

void print_pretty(std::string& out, const json::value& value, std::size_t depth) {
  const std::string indent(2 * (depth + 1), ' '), outdent(2 * depth, ' ');
  if (value.is_object() && !value.get_object().empty()) {
    std::string_view before = "{\n";
    for (const auto& [key, item] : value.get_object()) {
      out.append(before).append(indent).append(json::serialize(json::string(key))).append(": ");
      print_pretty(out, item, depth + 1);
      before = ",\n";
    }
    out.append("\n").append(outdent).append("}");
  } else if (value.is_array() &&
             std::ranges::any_of(value.get_array(), [](const json::value& v) { return v.is_object(); })) {
    std::string_view before = "[\n";
    for (const json::value& item : value.get_array()) {
      out.append(before).append(indent);
      print_pretty(out, item, depth + 1);
      before = ",\n";
    }
    out.append("\n").append(outdent).append("]");
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

const Field* find_field(const Object& object, std::string_view name) {
  const auto found = std::ranges::find(object.fields, name, &Field::name);
  return found == object.fields.end() ? nullptr : &*found;
}

std::vector<std::string_view> split_words(std::string_view words) {
  std::vector<std::string_view> result;
  while (!words.empty()) {
    const auto bar = words.find('|');
    result.push_back(words.substr(0, bar));
    words = bar == std::string_view::npos ? std::string_view() : words.substr(bar + 1);
  }
  return result;
}

std::string describe_type(const Field& field) {
  const std::string type = base_type(field);
  return words_stand_beside(field) ? join(split_words(field.words), ", ", "`") + ", or " + type : type;
}

bool is_planned(std::string_view field) {
  static constexpr std::array<std::string_view, 6> planned = {"preset",  "presets",   "rate_limit",
                                                              "filters", "discovery", "tracing"};
  return std::ranges::find(planned, field) != planned.end();
}

std::string json_schema() {
  json::object schema = object_schema(schema::root);
  json::object definitions;
  definitions["variable"] = json::object{{"type", "string"},
                                         {"pattern", "\\$\\{[A-Za-z_]"},
                                         {"description", "An environment variable: ${NAME} or ${NAME:-default}"}};
  for (const Object* object : all_objects()) {
    if (object != &schema::root) definitions[definition_name(*object)] = object_schema(*object);
  }
  json::object document{{"$schema", "https://json-schema.org/draft/2020-12/schema"}};
  for (auto& [key, value] : schema) document[key] = std::move(value);
  document["title"] = "Telltale configuration";
  document["$defs"] = std::move(definitions);
  std::string out;
  print_pretty(out, document, 0);
  return out + "\n";
}

std::string reference_markdown() {
  std::string out;
  for (const Object* object : all_objects()) {
    const std::string name = object->name.empty() ? "" : ": `" + std::string(object->name) + "`";
    out += "### " + std::string(object->title) + name + "\n\n";
    if (!object->one_of.empty()) {
      out += "Exactly one of " + join(split_words(object->one_of), ", ", "`") + ".\n\n";
    }
    out += "| field | type | default | meaning |\n|---|---|---|---|\n";
    for (const Field& field : object->fields) {
      std::string fallback = field.fallback.empty() ? "" : "`" + std::string(field.fallback) + "`";
      if (field.required) fallback = "required";
      out += "| `" + std::string(field.name) + "` | " + describe_type(field) + " | " + fallback + " | " +
             std::string(field.meaning) + " |\n";
    }
    out += "\n";
    if (object == &schema::client_ip) out += presets_markdown();
  }
  return out;
}

}  // namespace telltale::conf
