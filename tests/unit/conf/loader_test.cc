#include "conf/loader.h"

#include "tests/unit/conf/examples.h"
#include "tests/unit/conf/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

using namespace test;
using testing::ElementsAreArray;

TEST(Loader, ReportsTheProcessFields) {
  const Case cases[] = {
      {"nothing wrong", with_top("workers: 4"), {}},
      {"not a map", "- 1\n", {"1:1: error: a map is wanted here, not a list"}},
      {"a word alone", "hello\n", {"1:1: error: a map is wanted here, not a single value"}},
      {"no listeners", "services: []\n", {"1:1: error: the field \"listeners\" is missing"}},
      {"empty listeners", "listeners: []\n", {"1:12: error: listeners: there is no listener: nothing would be served"}},
      {"listeners that are no list",
       "listeners: {listen: ':80'}\n",
       {"1:12: error: listeners: a list is wanted here, not a map"}},
      {"no value", with_top("workers:"), {"1:1: error: workers: has no value"}},
      {"an unknown field", with_top("wrokers: 4"), {"1:1: error: wrokers: unknown field \"wrokers\""}},
      {"an unknown field that would clear the screen",
       with_top("\"\\e[2J\": 4"),
       {"1:1: error: \"\\x1b[2J\": unknown field \"\\x1b[2J\""}},
      {"a word for a number", with_top("workers: many"), {"1:10: error: workers: \"many\" is not a whole number"}},
      {"a number out of range", with_top("workers: 0"), {"1:10: error: workers: \"0\" is out of range"}},
      {"auto", with_top("workers: auto"), {}},
      {"a list for a number",
       with_top("workers: [1]"),
       {"1:10: error: workers: `auto`, or integer, 1 to 1024 is wanted here, not a list"}},
      {"admin off", with_top("admin: off"), {}},
      {"admin false, as YAML 1.1 writes off", with_top("admin: false"), {}},
      {"admin a word", with_top("admin: none"), {"1:8: error: admin: \"none\" is not off, nor a map"}},
      {"admin for everybody",
       with_top("admin: {listen: ':9901'}"),
       {"1:17: warning: admin.listen: the admin server can be reached from other machines, and has no authentication"}},
      {"admin where a listener is", with_top("admin: {listen: '127.0.0.1:80'}") + "\n", {}},
      {"log level",
       with_top("log: {level: verbose}"),
       {"1:14: error: log.level: \"verbose\" is not one of trace, debug, info, warn, error, off"}},
      {"text without a template",
       with_top("access_log: {format: text}"),
       {"1:13: error: access_log.text: `format: text` needs its template"}},
      {"a template without text",
       with_top("access_log: {text: x}"),
       {"1:20: error: access_log.text: a template is only for `format: text`"}},
      {"a template's variables are its own", with_top("access_log: {format: text, text: '${client} $$ $'}"), {}},
      {"an unknown one",
       with_top("access_log: {format: text, text: '${clint} ${nope}'}"),
       {"1:35: error: access_log.text: there is no variable \"clint\"",
        "1:44: error: access_log.text: there is no variable \"nope\""}},
      {"received TLVs",
       with_top("access_log: {format: text, text: '${tlv.ssl_cn} ${tlv.0xE3} ${tlv.ssl_cm} ${tlv.}'}"),
       {"1:61: error: access_log.text: there is no TLV \"ssl_cm\"",
        "1:75: error: access_log.text: there is no TLV \"\""}},
      {"one that is not closed",
       with_top("access_log: {format: text, text: '${client'}"),
       {"1:35: error: access_log.text: a `${` without its `}`"}},
      {"a template of two lines",
       with_top("access_log: {format: text, text: \"a\\nb\"}"),
       {"1:34: error: access_log.text: a template is one line"}},
      {"durations",
       with_top("drain: {delay: 5, grace: 48h}"),
       {"1:16: error: drain.delay: \"5\" has no unit", "1:26: error: drain.grace: \"48h\" is out of range"}},
      {"where it runs",
       with_top("node_name: ''\nzone: []"),
       {"1:12: error: node_name: is empty", "2:7: error: zone: text is wanted here, not a list"}},
      {"names",
       with_top(
           "dns: {servers: [10.96.0.10, ':53', '10.96.0.10:0', 'unix:/x', 'dns.example:53', '[::1]:53'], attempts: 0}"),
       {"1:17: error: dns.servers[0]: \"10.96.0.10\" has no port",
        "1:29: error: dns.servers[1]: \":53\" is not the address and port of a server",
        "1:36: error: dns.servers[2]: \"10.96.0.10:0\" is not the address and port of a server",
        "1:52: error: dns.servers[3]: \"unix:/x\" is not the address and port of a server",
        "1:63: error: dns.servers[4]: \"dns.example:53\" is a host name; this address must be numeric",
        "1:104: error: dns.attempts: \"0\" is out of range"}},
      {"one server alone",
       with_top("dns: {servers: '10.96.0.10:53'}"),
       {"1:16: error: dns.servers: a list is wanted here"}},
      {"times to live",
       with_top("dns: {min_ttl: 1m, max_ttl: 10s}"),
       {"1:29: error: dns.max_ttl: `max_ttl` (10s) is shorter than `min_ttl` (1m)"}},
      {"a later version's",
       with_top("tracing: {}"),
       {"1:1: error: tracing: \"tracing\" is not supported in this version"}},
      {"duplicate key", with_top("workers: 1\nworkers: 2"), {"2:1: error: the field \"workers\" is given twice"}},
  };
  expect(cases);
}

TEST(Loader, ExpandsTheEnvironmentInValuesOnly) {
  const Case cases[] = {
      {"a number", with_service("endpoints: [\"10.0.0.1:${PORT}\"], retries: \"${RETRIES:-0}\""), {}},
      {"not in keys", with_top("${PORT}: 1"), {"1:1: error: \"${PORT}\": unknown field \"${PORT}\""}},
      {"not set",
       with_service("endpoints: [\"10.0.0.1:${NONE}\"]"),
       {"3:27: error: services[0].endpoints[0]: the environment variable \"NONE\" is not set"}},
      {"what is put in is checked",
       with_listener("client_ip: {trusted: [\"${CLIENTS}\"]}, name: \"${BAD}\""),
       {"2:77: error: listeners[0].name: \"x\\ny\" has control characters"}},
      {"and must be UTF-8",
       with_listener("name: \"${LATIN1}\""),
       {"2:39: error: listeners[0].name: an environment variable in it is not UTF-8 text"}},
      {"in braces without quotes", "listeners: [{listen: :${PORT}, service: web}]\n", {}},
  };
  for (const Case& c : std::span(cases).first(5)) {
    EXPECT_THAT(findings(c.text), ElementsAreArray(c.findings)) << c.what << "\n" << c.text;
  }
  const auto unquoted = load_text(cases[5].text, environment);
  ASSERT_EQ(unquoted.diagnostics.size(), 1u);
  EXPECT_EQ(unquoted.diagnostics[0].hint, "within { } or [ ] a variable goes in double quotes: \"${NAME}\"");
}

TEST(Loader, HintsSayWhatWouldBeRight) {
  struct Hint {
    const char* what;
    std::string text;
    const char* hint;
  };
  const Hint hints[] = {
      {"a misspelt field", with_top("max_conections: 5"), "did you mean \"max_connections\"?"},
      {"in another style", with_service("endpoints: [10.0.0.1:80], externalTrafficPolicy: local"),
       "did you mean \"external_traffic_policy\"?"},
      {"nothing near", with_top("zebra: 5"),
       "the fields here are workers, max_connections, admin, log, access_log, drain, ranges, node_name, zone, dns, "
       "listeners and "
       "services"},
      {"a misspelt word", with_listener("limits: {underscores: rejct}"), "did you mean \"reject\"?"},
      {"a misspelt service",
       with_route("{service: web},{match: {path: /y}, service: ohter},{match: {path: /x}, service: other}"),
       "did you mean \"other\"?"},
      {"a port", with_service("nodes: [{address: 10.0.0.1}]"),
       "add `port:` to the service (for all of its nodes) or to the node, or list the node's `endpoints`"},
      {"yes", with_service("endpoints: [10.0.0.1:80], propagate: {via: yes}"), "write true"},
      {"no list", with_listener("client_ip: {trusted: 10.0.0.0/8}"), "write [\"10.0.0.0/8\"]"},
  };
  for (const Hint& h : hints) {
    const LoadResult result = load_text(h.text);
    ASSERT_FALSE(result.diagnostics.empty()) << h.what;
    EXPECT_EQ(result.diagnostics[0].hint, h.hint) << h.what;
  }
}

TEST(Loader, GivesAModelExactlyWhenThereIsNoError) {
  EXPECT_TRUE(load_text(with_top("")).model);
  const LoadResult warned = load_text(with_top("admin: {listen: ':9901'}"));
  EXPECT_TRUE(warned.model);
  EXPECT_TRUE(warned.has_warnings());
  EXPECT_FALSE(warned.has_errors());
  const LoadResult wrong = load_text(with_top("x: 1"));
  EXPECT_FALSE(wrong.model);
  EXPECT_TRUE(wrong.has_errors());
  EXPECT_FALSE(load_text("").model);
}

TEST(Loader, ReadsAByteOrderMarkAndJson) {
  EXPECT_TRUE(load_text("\xef\xbb\xbf" + with_top("")).model);
  EXPECT_TRUE(load_text("{\"listeners\": [{\"listen\": \":80\", \"service\": \"web\"}],\n"
                        " \"services\": [{\"name\": \"web\", \"endpoints\": [\"10.0.0.1:80\"], \"retries\": 1}]}")
                  .model);
}

TEST(Loader, SharesAnchoredValuesAndReportsTheirErrorsOnce) {
  const std::string text =
      "listeners: [{listen: ':80', routes: [{service: a}, {match: {path: /b}, service: b}]}]\n"
      "services:\n"
      "- {name: a, endpoints: [10.0.0.1:80], pool: &pool {max_idle: 7}}\n"
      "- {name: b, endpoints: [10.0.0.2:80], pool: {<<: *pool, idle_timeout: 9s}}\n";
  const LoadResult result = load_text(text);
  ASSERT_TRUE(result.model) << render(result, "x");
  EXPECT_EQ(result.model->services[1].pool.max_idle, 7u);
  EXPECT_EQ(result.model->services[1].pool.idle_timeout.count(), 9000);
}

TEST(Loader, FindingsAreBounded) {
  std::string text = "listeners:\n";
  for (int i = 0; i < 20'000; ++i) text += "- {bad: 1}\n";
  const LoadResult result = load_text(text);
  EXPECT_EQ(result.diagnostics.size(), 10'001u);
  EXPECT_EQ(result.diagnostics.back().message, "more than 10000 findings; the rest is not shown");
  EXPECT_FALSE(result.model);
}

TEST(Loader, AFileThatCannotBeReadIsAFinding) {
  const LoadResult missing = load_file("/nonexistent/telltale.yaml");
  EXPECT_FALSE(missing.model);
  EXPECT_EQ(render(missing, "x.yaml"), "x.yaml: error: cannot be read: No such file or directory\n");
  EXPECT_EQ(render(load_file("/"), "/"), "/: error: cannot be read: Is a directory\n");
}

TEST(Loader, LoadsTenThousandRoutesAndEndpoints) {
  std::string text = "listeners:\n- listen: ':80'\n  routes:\n";
  for (int i = 0; i < 10'000; ++i) {
    const std::string n = std::to_string(i);
    text += "  - {match: {host: h" + n + ".example.com, path: /api/" + n + "}, service: s" + std::to_string(i % 100) +
            "}\n";
  }
  text += "services:\n";
  for (int s = 0; s < 100; ++s) {
    text += "- name: s" + std::to_string(s) + "\n  endpoints:\n";
    for (int e = 0; e < 100; ++e) text += "  - 10.1." + std::to_string(s) + "." + std::to_string(e + 1) + ":80\n";
  }
  const LoadResult result = load_text(text);
  ASSERT_TRUE(result.model) << render(result, "x").substr(0, 1000);
  EXPECT_TRUE(result.diagnostics.empty());
  EXPECT_EQ(result.model->listeners[0].routes.size(), 10'000u);
  EXPECT_EQ(*result.model->listeners[0].routes[9'999].service, 99u);
  EXPECT_EQ(result.model->services[99].endpoints[99].address.to_string(), "10.1.99.100:80");
}

TEST(Loader, SurvivesEveryFileCutAtEveryOctet) {
  for (const Example& example : read_examples()) {
    for (std::size_t size = 0; size < example.text.size(); size += example.text.size() > 2000 ? 7 : 1) {
      const LoadResult result = load_text(example.text.substr(0, size));
      EXPECT_EQ(result.model == nullptr, result.has_errors()) << example.name << " cut at " << size;
      render(result, example.name);
    }
  }
}

}  // namespace
}  // namespace telltale::conf
