#include "proxy/health/node_health.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

constexpr std::chrono::system_clock::time_point noon{std::chrono::seconds(784111777)};

TEST(NodeHealth, AnswersOctetByOctetAsKubeProxyDoes) {
  const struct {
    const char* what;
    NodeHealth health;
    HealthRequest request;
    const char* response;
  } rows[] = {
      {"one local endpoint",
       {"default", "loadbalancer", 1, true},
       {},
       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
       "X-Load-Balancing-Endpoint-Weight: 1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 123\r\n\r\n"
       "{\n\t\"service\": {\n\t\t\"namespace\": \"default\",\n\t\t\"name\": \"loadbalancer\"\n\t},\n"
       "\t\"localEndpoints\": 1,\n\t\"serviceProxyHealthy\": true\n}"},
      {"none",
       {"shop", "api", 0, true},
       {},
       "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
       "X-Load-Balancing-Endpoint-Weight: 0\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 111\r\n\r\n"
       "{\n\t\"service\": {\n\t\t\"namespace\": \"shop\",\n\t\t\"name\": \"api\"\n\t},\n"
       "\t\"localEndpoints\": 0,\n\t\"serviceProxyHealthy\": true\n}"},
      {"a proxy that is not healthy, and a connection that closes",
       {"shop", "api", 12, false},
       {.keep_alive = false},
       "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
       "X-Load-Balancing-Endpoint-Weight: 12\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 113\r\n"
       "Connection: close\r\n\r\n"
       "{\n\t\"service\": {\n\t\t\"namespace\": \"shop\",\n\t\t\"name\": \"api\"\n\t},\n"
       "\t\"localEndpoints\": 12,\n\t\"serviceProxyHealthy\": false\n}"},
      {"HEAD",
       {"shop", "api", 1, true},
       {.head_only = true},
       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
       "X-Load-Balancing-Endpoint-Weight: 1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 111\r\n\r\n"},
      {"HTTP/1.0, which closes without a word",
       {"a", "b", 0, false},
       {.http_minor = 0, .keep_alive = false},
       "HTTP/1.0 503 Service Unavailable\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
       "X-Load-Balancing-Endpoint-Weight: 0\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 107\r\n\r\n"
       "{\n\t\"service\": {\n\t\t\"namespace\": \"a\",\n\t\t\"name\": \"b\"\n\t},\n"
       "\t\"localEndpoints\": 0,\n\t\"serviceProxyHealthy\": false\n}"},
      {"HTTP/1.0 that stays",
       {"a", "b", 1, true},
       {.http_minor = 0, .head_only = true},
       "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
       "X-Load-Balancing-Endpoint-Weight: 1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 106\r\n"
       "Connection: keep-alive\r\n\r\n"},
  };
  for (const auto& row : rows) EXPECT_EQ(health_response(row.health, row.request, noon), row.response) << row.what;
}

TEST(NodeHealth, IsOfAServiceInItsNamespace) {
  const struct {
    const char *service, *space, *name;
  } rows[] = {
      {"shop", "default", "shop"},
      {"web/shop", "web", "shop"},
      {"a/b/c", "a", "b/c"},
  };
  for (const auto& row : rows) {
    const NodeHealth health = node_health_of(row.service);
    EXPECT_EQ(health.service_namespace, row.space) << row.service;
    EXPECT_EQ(health.service_name, row.name) << row.service;
    EXPECT_EQ(health.status(), 503u) << "nothing is known of it yet";
  }
}

TEST(NodeHealth, EscapesNamesThatKubernetesWouldNotAllow) {
  const std::string body = node_health_of("a\"b/c\\d\xff").body();
  EXPECT_NE(body.find("\"namespace\": \"a\\\"b\",\n\t\t\"name\": \"c\\\\d\xef\xbf\xbd\"\n"), std::string::npos) << body;
}

}  // namespace
}  // namespace telltale::proxy
