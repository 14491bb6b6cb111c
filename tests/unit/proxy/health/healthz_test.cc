#include "proxy/health/healthz.h"

#include <gtest/gtest.h>

#include <string>

namespace telltale::proxy {
namespace {

const char* const kube_proxy =
    "{\n\t\"service\": {\n\t\t\"namespace\": \"default\",\n\t\t\"name\": \"loadbalancer\"\n\t},\n"
    "\t\"localEndpoints\": 1,\n\t\"serviceProxyHealthy\": true\n}";

/// With nothing expected but what is the default.
ProbeResult judge(unsigned status, std::string_view body, std::optional<std::string_view> weight = {},
                  bool strict = false) {
  conf::Health health;
  health.strict = strict;
  BodyPatterns patterns;
  return judge_healthz(status, body, weight, health, patterns);
}

TEST(Healthz, JudgesByStatusAndReadsTheBodyForTheReason) {
  using enum ProbeOutcome;
  struct Case {
    const char* description;
    unsigned status;
    std::string body;
    bool strict;
    ProbeOutcome outcome;
    const char* reason;
  };
  const Case cases[] = {
      {"kube-proxy's answer", 200, kube_proxy, false, healthy,
       "answered 200: 1 local endpoint of default/loadbalancer"},
      {"kube-proxy's answer is enough for strict", 200, kube_proxy, true, healthy,
       "answered 200: 1 local endpoint of default/loadbalancer"},
      {"kube-proxy without local endpoints", 503,
       R"({"service":{"namespace":"default","name":"loadbalancer"},"localEndpoints":0,"serviceProxyHealthy":true})",
       false, draining, "answered 503: no local endpoints of default/loadbalancer"},
      {"kube-proxy that is not healthy itself", 503,
       R"({"service":{"namespace":"n","name":"s"},"localEndpoints":3,"serviceProxyHealthy":false})", false, draining,
       "answered 503: 3 local endpoints of n/s, its service proxy is not healthy"},
      {"before serviceProxyHealthy", 200, R"({"service":{"namespace":"n","name":"s"},"localEndpoints":2})", false,
       healthy, "answered 200: 2 local endpoints of n/s"},
      {"no service named", 200, R"({"localEndpoints":2})", false, healthy, "answered 200: 2 local endpoints"},
      {"the text of older ones", 200, "1 Service Endpoints found", false, healthy, "answered 200: 1 local endpoint"},
      {"the text, with a line end", 200, "12 Service Endpoints found\n", false, healthy,
       "answered 200: 12 local endpoints"},
      {"the text when there are none", 503, "No Service Endpoints Found", false, draining,
       "answered 503: no local endpoints"},
      {"kube-proxy's own port", 200, R"({"lastUpdated":"a","currentTime":"b","nodeEligible":true})", false, healthy,
       "answered 200: node eligible"},
      {"kube-proxy's own port, node being deleted", 503, R"({"nodeEligible":false})", false, draining,
       "answered 503: node not eligible"},
      {"the status decides against the body", 200, R"({"localEndpoints":0})", false, healthy,
       "answered 200: no local endpoints"},
      {"the status decides for the body", 503, R"({"localEndpoints":9})", false, draining,
       "answered 503: 9 local endpoints"},
      {"empty", 200, "", false, healthy, "answered 200"},
      {"empty under strict", 200, "", true, vague, "answered 200 with an empty body"},
      {"white space is empty", 200, " \r\n", true, vague, "answered 200 with an empty body"},
      {"an empty 503 under strict is a 503", 503, "", true, draining, "answered 503"},
      {"an empty 500 under strict is a 500", 500, "", true, unhealthy, "answered 500"},
      {"any body satisfies strict", 200, "ok", true, healthy, "answered 200"},
      {"no content", 204, "", false, healthy, "answered 204"},
      {"redirect", 302, "", false, unhealthy, "answered 302"},
      {"not found", 404, "1 Service Endpoints found", false, unhealthy, "answered 404: 1 local endpoint"},
      {"server error", 500, "", false, unhealthy, "answered 500"},
      {"other unavailability", 504, "", false, unhealthy, "answered 504"},
      {"switching protocols", 101, "", false, unhealthy, "answered 101"},
      {"JSON cut short", 200, R"({"localEndpoints":1)", false, healthy, "answered 200"},
      {"JSON of another kind", 200, R"({"status":"UP"})", false, healthy, "answered 200"},
      {"JSON with a count that is none", 200, R"({"localEndpoints":"1"})", false, healthy, "answered 200"},
      {"JSON with a negative count", 200, R"({"localEndpoints":-1})", false, healthy, "answered 200"},
      {"JSON with a fraction", 200, R"({"localEndpoints":1.5})", false, healthy, "answered 200"},
      {"names that are none stay out of the log", 200,
       "{\"service\":{\"namespace\":\"a\\nb\",\"name\":\"s\"},\"localEndpoints\":1}", false, healthy,
       "answered 200: 1 local endpoint"},
      {"names of the wrong type", 200, R"({"service":{"namespace":1,"name":"s"},"localEndpoints":1})", false, healthy,
       "answered 200: 1 local endpoint"},
      {"a service of the wrong type", 200, R"({"service":7,"localEndpoints":1})", false, healthy,
       "answered 200: 1 local endpoint"},
      {"deep nesting", 200, "{\"a\":" + std::string(60'000, '[') + "}", false, healthy, "answered 200"},
      {"text with a count that is none", 200, "many Service Endpoints found", false, healthy, "answered 200"},
      {"text with a negative count", 200, "-1 Service Endpoints found", false, healthy, "answered 200"},
      {"octets", 200, std::string("\x00\xff\x1b[2J", 6), false, healthy, "answered 200"},
  };
  for (const Case& c : cases) {
    const ProbeResult result = judge(c.status, c.body, {}, c.strict);
    EXPECT_EQ(result.outcome, c.outcome) << c.description;
    EXPECT_EQ(result.reason, c.reason) << c.description;
    EXPECT_TRUE(result.answered) << c.description;
    EXPECT_EQ(result.weight, std::nullopt) << c.description;
  }
}

TEST(Healthz, JudgesByWhatIsExpected) {
  using enum ProbeOutcome;
  using Ranges = std::vector<conf::StatusRange>;
  struct Case {
    const char* description;
    Ranges statuses;
    const char* pattern;
    bool strict;
    unsigned status;
    std::string body;
    ProbeOutcome outcome;
    const char* reason;
  };
  const char* const no_match = "answered 200 with a body that is not as expected";
  const std::string ready = "status: ready\n";
  const Case cases[] = {
      {"a status in a range", {{300, 399}}, "", false, 302, "", healthy, "answered 302"},
      {"the first of a range", {{300, 399}}, "", false, 300, "", healthy, "answered 300"},
      {"the last of a range", {{300, 399}}, "", false, 399, "", healthy, "answered 399"},
      {"past a range", {{300, 399}}, "", false, 400, "", unhealthy, "answered 400"},
      {"a 200 that is not listed", {{204, 204}}, "", false, 200, "", unhealthy, "answered 200"},
      {"the second range", {{204, 204}, {401, 401}}, "", false, 401, "", healthy, "answered 401"},
      {"a 503 that is not listed", {{200, 204}}, "", false, 503, "", draining, "answered 503"},
      {"a 503 that is listed", {{200, 204}, {500, 503}}, "", false, 503, "", healthy, "answered 503"},
      {"a body", {}, "ready", false, 200, ready, healthy, "answered 200"},
      {"a pattern", {}, "^status: (ready|degraded)\\s", false, 200, ready, healthy, "answered 200"},
      {"another body", {}, "ready", false, 200, "starting", unhealthy, no_match},
      {"an anchor", {}, "^ready$", false, 200, ready, unhealthy, no_match},
      {"no body", {}, "ready", false, 200, "", unhealthy, no_match},
      {"no body, under strict: the pattern says more", {}, "ready", true, 200, "", unhealthy, no_match},
      {"white space is matched as it came", {}, "^\\s+$", false, 200, " \n", healthy, "answered 200"},
      {"and is empty under strict", {}, "^\\s+$", true, 200, " \n", vague, "answered 200 with an empty body"},
      {"the body of a 503 does not matter", {}, "ready", false, 503, "no", draining, "answered 503"},
      {"nor that of a 500", {}, "ready", false, 500, ready, unhealthy, "answered 500"},
      {"of a listed 503 it does",
       {{503, 503}},
       "ready",
       false,
       503,
       "no",
       unhealthy,
       "answered 503 with a body that is not as expected"},
      {"UTF-8", {}, "läuft", false, 200, "läuft", healthy, "answered 200"},
      {"octets that are not UTF-8", {}, "up", false, 200, std::string("\xff\xfe\0up", 5), healthy, "answered 200"},
      {"what would take a backtracking matcher for ever",
       {},
       "(a*)*b",
       false,
       200,
       std::string(65536, 'a'),
       unhealthy,
       no_match},
      {"a pattern that is none is found nowhere", {}, "(", false, 200, "(", unhealthy, no_match},
      {"detail of a match",
       {},
       "localEndpoints",
       false,
       200,
       R"({"localEndpoints":2})",
       healthy,
       "answered 200: 2 local endpoints"},
  };
  BodyPatterns patterns;
  for (const Case& c : cases) {
    conf::Health health;
    health.expect_statuses = c.statuses;
    health.expect_body = c.pattern;
    health.strict = c.strict;
    const ProbeResult result = judge_healthz(c.status, c.body, {}, health, patterns);
    EXPECT_EQ(result.outcome, c.outcome) << c.description;
    EXPECT_EQ(result.reason, c.reason) << c.description;
  }
}

TEST(Healthz, StandsAnAnswerCutAtEveryOctet) {
  const std::string body = kube_proxy;
  for (std::size_t size = 1; size < body.size(); ++size) {
    const ProbeResult result = judge(200, body.substr(0, size), {}, true);
    EXPECT_EQ(result.outcome, ProbeOutcome::healthy) << size;
    EXPECT_EQ(result.reason, "answered 200") << size;
  }
}

TEST(Healthz, ReadsTheWeightField) {
  struct Case {
    const char* description;
    std::optional<std::string_view> field;
    std::optional<std::int32_t> weight;
  };
  const Case cases[] = {
      {"none came", {}, {}},
      {"a number", "3", 3},
      {"zero", "0", 0},
      {"white space", " 7 ", 7},
      {"the most", "1000000", 1'000'000},
      {"more than the most", "1000001", {}},
      {"too large to read", "99999999999", {}},
      {"negative", "-1", {}},
      {"a sign", "+1", {}},
      {"a fraction", "1.5", {}},
      {"two", "1, 2", {}},
      {"empty", "", {}},
      {"words", "many", {}},
      {"hexadecimal", "0x10", {}},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(judge(200, "", c.field).weight, c.weight) << c.description;
    EXPECT_EQ(judge(503, "", c.field).weight, c.weight) << c.description;
  }
}

}  // namespace
}  // namespace telltale::proxy
