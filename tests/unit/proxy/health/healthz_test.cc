#include "proxy/health/healthz.h"

#include <gtest/gtest.h>

#include <string>

namespace telltale::proxy {
namespace {

const char* const kube_proxy =
    "{\n\t\"service\": {\n\t\t\"namespace\": \"default\",\n\t\t\"name\": \"loadbalancer\"\n\t},\n"
    "\t\"localEndpoints\": 1,\n\t\"serviceProxyHealthy\": true\n}";

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
    const ProbeResult result = judge_healthz(c.status, c.body, {}, c.strict);
    EXPECT_EQ(result.outcome, c.outcome) << c.description;
    EXPECT_EQ(result.reason, c.reason) << c.description;
    EXPECT_TRUE(result.answered) << c.description;
    EXPECT_EQ(result.weight, std::nullopt) << c.description;
  }
}

TEST(Healthz, StandsAnAnswerCutAtEveryOctet) {
  const std::string body = kube_proxy;
  for (std::size_t size = 1; size < body.size(); ++size) {
    const ProbeResult result = judge_healthz(200, body.substr(0, size), {}, true);
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
    EXPECT_EQ(judge_healthz(200, "", c.field, false).weight, c.weight) << c.description;
    EXPECT_EQ(judge_healthz(503, "", c.field, false).weight, c.weight) << c.description;
  }
}

}  // namespace
}  // namespace telltale::proxy
