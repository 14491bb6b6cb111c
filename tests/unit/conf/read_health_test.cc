#include "conf/expand.h"
#include "tests/unit/conf/findings.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

using namespace test;

std::string with_health(std::string_view fields) {
  return with_service("endpoints: [10.0.0.1:80], health: {\n" + std::string(fields) + "}");
}

TEST(Loader, ReportsProbes) {
  const auto managing = [](const std::string& place, const std::string& name) {
    return std::string(place).append(": error: services[0].health.headers.").append(name).append(": \"").append(name) +
           "\" cannot be sent: it manages the connection or the body";
  };
  const Case cases[] = {
      {"its defaults", with_service("endpoints: [10.0.0.1:80], health: "), {}},
      {"no tcp and no grpc is http", with_health("tcp: false, grpc: false, strict: true"), {}},
      {"http beside them", with_health("http: /x, tcp: false, grpc: false"), {}},
      {"everything for http",
       with_health("http: /x, host: y, headers: {X-Probe: a b}, expect: {status: [204, 300-399], body: 'ok$'}"),
       {}},
      {"everything for https", with_health("https: /x, tls: {sni: a.example, verify: ca, ca: /ca.pem}"), {}},
      {"everything for grpc", with_health("grpc: a.b.C, host: y, send_proxy: v2, port: 80"), {}},
      {"two kinds",
       with_health("http: /x, https: /y"),
       {"4:18: error: services[0].health.https: only one of http, https, tcp, grpc and track can be given, not http "
        "and "
        "https"}},
      {"two others",
       with_health("tcp: true, grpc: true"),
       {"4:18: error: services[0].health.grpc: only one of http, https, tcp, grpc and track can be given, not tcp and "
        "grpc"}},
      {"a path", with_health("http: healthz"), {"4:7: error: services[0].health.http: \"healthz\" is not a path"}},
      {"a path over TLS", with_health("https: 'a b'"), {"4:8: error: services[0].health.https: \"a b\" is not a path"}},
      {"a tcp probe with an http probe's fields",
       with_health("tcp: true, host: y, headers: {}, expect: {}, tls: {}, strict: true, weight: probe"),
       {"4:18: error: services[0].health.host: is only for a probe by `http`, `https` or `grpc`",
        "4:30: error: services[0].health.headers: is only for a probe by `http` or `https`",
        "4:42: error: services[0].health.expect: is only for a probe by `http` or `https`",
        "4:51: error: services[0].health.tls: is only for a probe by `https`",
        "4:63: error: services[0].health.strict: is only for a probe by `http` or `https`",
        "4:77: error: services[0].health.weight: is only for a probe by `http` or `https`"}},
      {"a grpc probe with others'",
       with_health("grpc: true, headers: {X: a}, tls: {verify: none}"),
       {"4:22: error: services[0].health.headers: is only for a probe by `http` or `https`",
        "4:35: error: services[0].health.tls: a probe by `grpc` is without TLS in this version"}},
      {"TLS without https",
       with_health("http: /x, tls: {}"),
       {"4:16: error: services[0].health.tls: is only for a probe by `https`"}},
      {"headers that are not the probe's to have",
       with_health("headers: {Host: a,\nTe: b,\nContent_Length: 1,\ntransfer-encoding: c}"),
       {"4:11: error: services[0].health.headers.Host: \"Host\" cannot be sent: `host` writes it",
        managing("5:1", "Te"), managing("6:1", "Content_Length"), managing("7:1", "transfer-encoding")}},
      {"headers that cannot be",
       with_health("headers: {'X Y': b, X-A: 1, x_a: 2, X-B: \"a\\nb\", X-C: é, X-D: []}"),
       {"4:11: error: services[0].health.headers.\"X Y\": \"X Y\" is not a header name",
        "4:29: error: services[0].health.headers.x_a: \"x_a\" is given twice",
        "4:42: error: services[0].health.headers.X-B: \"a\\nb\" has control characters",
        "4:55: error: services[0].health.headers.X-C: \"é\" is not in ASCII",
        "4:64: error: services[0].health.headers.X-D: text is wanted here, not a list"}},
      {"what is expected",
       with_health("expect: {status: [2xx, 600, 300-200], body: '(a'}"),
       {"4:19: error: services[0].health.expect.status[0]: \"2xx\" is neither a status code nor a range of them",
        "4:24: error: services[0].health.expect.status[1]: \"600\" is out of range",
        "4:29: error: services[0].health.expect.status[2]: \"300-200\" ends before it begins",
        "4:45: error: services[0].health.expect.body: \"(a\" is not a regular expression: missing ): (a"}},
      {"nothing is expected",
       with_health("expect: {status: []}"),
       {"4:18: error: services[0].health.expect.status: no answer would be healthy"}},
      {"one status alone",
       with_health("expect: {status: 200}"),
       {"4:18: error: services[0].health.expect.status: a list is wanted here"}},
      {"whose certificate",
       with_health("https: /x, tls: {sni: 10.0.0.1, verify: name}"),
       {"4:23: error: services[0].health.tls.sni: \"10.0.0.1\" is not a host name",
        "4:41: error: services[0].health.tls.verify: \"name\" is not one of full, ca, none"}},
      {"an authority that nobody asks",
       with_health("https: /x, tls: {verify: none, ca: /ca.pem}"),
       {"4:36: warning: services[0].health.tls.ca: has no effect with `verify: none`"}},
      {"slowly when it is fast",
       with_health("interval: 1s, fast_interval: 2s"),
       {"4:30: warning: services[0].health.fast_interval: is longer than `interval`: what changes is probed less often "
        "than what does not"}},
  };
  expect(cases);
}

TEST(Loader, DefaultsTheFastIntervalToTheShorterOne) {
  struct Row {
    const char* fields;
    std::int64_t milliseconds;
  };
  for (const Row& row : {Row{"interval: 5s", 1000}, {"interval: 200ms", 200}, {"fast_interval: 300ms", 300}}) {
    const LoadResult result = load_text(with_health(row.fields));
    ASSERT_TRUE(result.model) << render(result, row.fields);
    EXPECT_EQ(result.model->services[0].health->fast_interval.count(), row.milliseconds) << row.fields;
  }
}

TEST(Expansion, KeepsEveryKindOfProbe) {
  for (const char* fields : {"http: /x, headers: {X-A: '$${B} \"c\"'}, expect: {status: [200]}", "https: /y",
                             "tcp: true", "grpc: true", "grpc: a.B, host: c", "expect: {body: 'a\\.b$'}"}) {
    const LoadResult result = load_text(with_health(fields));
    ASSERT_TRUE(result.model) << render(result, fields);
    const std::string expanded = expand(*result.model);
    const LoadResult again = load_text(expanded);
    ASSERT_TRUE(again.model) << render(again, fields);
    EXPECT_TRUE(again.diagnostics.empty()) << fields;
    EXPECT_EQ(expand(*again.model), expanded) << fields;
    const Health &before = *result.model->services[0].health, &after = *again.model->services[0].health;
    EXPECT_EQ(after.kind, before.kind) << fields;
    EXPECT_EQ(after.headers, before.headers) << fields;
    EXPECT_EQ(after.expect_statuses, before.expect_statuses) << fields;
    EXPECT_EQ(after.expect_body, before.expect_body) << fields;
    EXPECT_EQ(after.grpc_service, before.grpc_service) << fields;
  }
}

}  // namespace
}  // namespace telltale::conf
