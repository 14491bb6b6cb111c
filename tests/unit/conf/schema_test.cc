#include "conf/schema.h"

#include "conf/expand.h"
#include "conf/loader.h"
#include "tests/unit/conf/examples.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <set>

namespace telltale::conf {
namespace {

TEST(Schema, ReferenceIsInTheReadme) {
  const std::string readme = read_source_file("conf/README.md");
  const std::string begin = "<!-- reference: begin -->\n", end = "<!-- reference: end -->";
  const auto from = readme.find(begin), to = readme.find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  EXPECT_EQ(readme.substr(from + begin.size(), to - from - begin.size()), reference_markdown())
      << "put the output of `telltale schema --markdown` between the two comments in conf/README.md";
}

TEST(Schema, EveryFieldHasAMeaningAndItsParts) {
  std::set<std::string_view> names;
  for (const Object* object : all_objects()) {
    EXPECT_TRUE(names.insert(object->name).second) << object->name;
    EXPECT_LE(object->fields.size(), max_fields) << object->name;
    for (const Field& field : object->fields) {
      const std::string where = std::string(object->name) + "." + std::string(field.name);
      EXPECT_FALSE(field.meaning.empty()) << where;
      EXPECT_TRUE(field.meaning.ends_with('.')) << where;
      EXPECT_FALSE(describe_type(field).empty()) << where;
      EXPECT_FALSE(field.required && !field.fallback.empty()) << where;
      const bool needs_object =
          field.type == Type::object || field.type == Type::objects || field.type == Type::endpoints;
      EXPECT_EQ(field.object != nullptr, needs_object) << where;
      const bool needs_words = field.type == Type::word || field.type == Type::words;
      EXPECT_TRUE(!needs_words || !field.words.empty()) << where;
      EXPECT_FALSE(is_planned(field.name)) << where;
    }
    for (const std::string_view choice : split_words(object->one_of)) EXPECT_TRUE(find_field(*object, choice));
  }
}

TEST(Schema, EveryObjectIsReachedFromTheRoot) {
  std::set<const Object*> reached;
  std::vector<const Object*> open = {&schema::root};
  while (!open.empty()) {
    const Object* object = open.back();
    open.pop_back();
    if (!reached.insert(object).second) continue;
    for (const Field& field : object->fields) {
      if (field.object) open.push_back(field.object);
    }
  }
  const auto all = all_objects();
  EXPECT_EQ(reached, std::set<const Object*>(all.begin(), all.end()));
}

/// A file whose `object` has `fields`; nothing for objects that have no defaults.
std::string file_with(std::string_view object, const std::string& fields) {
  const auto file = [](const std::string& top, const std::string& listener, const std::string& route,
                       const std::string& service) {
    return top + "\nlisteners: [{listen: ':80', routes: [{service: web, match: {path: /}" + route + "}]" + listener +
           "}]\nservices: [{name: web, endpoints: [10.0.0.1:80]" + service + "}]\n";
  };
  if (object.empty()) return file(fields.substr(1, fields.size() - 2), "", "", "");
  for (const std::string_view top : {"admin", "log", "drain", "access_log", "dns"}) {
    if (object == top) return file(std::string(top) + ": " + fields, "", "", "");
  }
  for (const std::string_view part : {"client_ip", "limits", "timeouts"}) {
    if (object == "listeners[]." + std::string(part)) return file("", ", " + std::string(part) + ": " + fields, "", "");
  }
  for (const std::string_view part :
       {"health", "propagate", "timeouts", "pool", "session_affinity", "ejection", "retries", "circuit_breakers"}) {
    if (object == "services[]." + std::string(part)) return file("", "", "", ", " + std::string(part) + ": " + fields);
  }
  return {};
}

TEST(Schema, DefaultsInTheTableAreTheModels) {
  std::size_t checked = 0;
  for (const Object* object : all_objects()) {
    const std::string base = file_with(object->name, object->name.empty() ? "{\n}" : "{}");
    if (base.empty()) continue;
    const LoadResult without = load_text(base);
    ASSERT_TRUE(without.model) << object->name << render(without, "without");
    for (const Field& field : object->fields) {
      // The header is only worth writing out with somebody to trust.
      if (field.fallback.empty() || field.name == "header") continue;
      const std::string line = std::string(field.name) + ": " + std::string(field.fallback);
      const LoadResult with = load_text(file_with(object->name, "{" + line + "}"));
      ASSERT_TRUE(with.model) << object->name << " " << render(with, line);
      EXPECT_EQ(expand(*with.model), expand(*without.model)) << object->name << ": " << line;
      ++checked;
    }
  }
  EXPECT_GT(checked, 75u);
}

TEST(Schema, JsonSchemaIsWholeAndResolvesItsReferences) {
  const boost::json::value document = boost::json::parse(json_schema());
  const auto& root = document.as_object();
  EXPECT_EQ(root.at("$schema").as_string(), "https://json-schema.org/draft/2020-12/schema");
  const auto& definitions = root.at("$defs").as_object();
  EXPECT_EQ(definitions.size(), all_objects().size()) << "all but the root, and the variable";
  std::vector<const boost::json::value*> open = {&document};
  std::size_t references = 0;
  while (!open.empty()) {
    const boost::json::value* value = open.back();
    open.pop_back();
    if (const auto* object = value->if_object()) {
      if (const auto* reference = object->if_contains("$ref")) {
        const std::string_view target = reference->as_string();
        ASSERT_TRUE(target.starts_with("#/$defs/"));
        EXPECT_TRUE(definitions.contains(target.substr(8))) << target;
        ++references;
      }
      for (const auto& [key, each] : *object) open.push_back(&each);
    } else if (const auto* array = value->if_array()) {
      for (const auto& each : *array) open.push_back(&each);
    }
  }
  EXPECT_GT(references, 60u);
  const auto& listener = definitions.at("listeners").as_object();
  EXPECT_EQ(listener.at("additionalProperties"), boost::json::value(false));
  EXPECT_EQ(listener.at("required").as_array().size(), 1u);
  EXPECT_EQ(listener.at("oneOf").as_array().size(), 2u);
  EXPECT_TRUE(listener.at("properties").as_object().contains("client_ip"));
}

TEST(Schema, NamesOfLaterVersionsAreSaidToBeLater) {
  for (const char* name : {"presets", "rate_limit", "tracing"}) {
    EXPECT_TRUE(is_planned(name)) << name;
  }
}

}  // namespace
}  // namespace telltale::conf
