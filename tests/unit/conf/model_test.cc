#include "conf/model.h"

#include "conf/expand.h"
#include "conf/loader.h"
#include "conf/schema.h"
#include "tests/unit/conf/examples.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

using namespace std::chrono_literals;
using forwarding::HeaderTrust;
using forwarding::ListMode;

TEST(Examples, LoadWithoutAnyFinding) {
  const auto examples = read_examples();
  EXPECT_GE(examples.size(), 11u);
  for (const Example& example : examples) {
    const LoadResult result = load_example(example.name);
    EXPECT_TRUE(result.model) << example.name;
    EXPECT_EQ(render(result, example.name), "");
  }
}

TEST(Examples, TheShortestIsFiveLines) {
  const std::string text = read_source_file("conf/examples/minimal.yaml");
  EXPECT_EQ(std::ranges::count(text, '\n'), 5);
}

TEST(Model, HasSafeDefaults) {
  const LoadResult result = load_example("minimal.yaml");
  ASSERT_TRUE(result.model);
  const Model& model = *result.model;
  EXPECT_EQ(model.workers, 0u);
  EXPECT_EQ(model.admin.listen->to_string(), "127.0.0.1:9901");
  EXPECT_EQ(model.admin.explain_requests, 256u);
  ASSERT_EQ(model.listeners.size(), 1u);
  const Listener& listener = model.listeners[0];
  EXPECT_EQ(listener.name, "listener-1");
  EXPECT_EQ(listener.listen.to_string(), "[::]:8080");
  EXPECT_TRUE(listener.client_ip.proxy_protocol.empty());
  EXPECT_TRUE(listener.client_ip.detect_source_loss);
  EXPECT_EQ(listener.client_ip.header.kind, HeaderTrust::Kind::x_forwarded_for);
  EXPECT_TRUE(listener.client_ip.header.trusted.empty()) << "nobody is trusted";
  ASSERT_EQ(listener.routes.size(), 1u);
  EXPECT_EQ(listener.routes[0].name, "default");
  EXPECT_EQ(listener.routes[0].service, 0u);
  const Service& service = model.services[0];
  EXPECT_EQ(service.propagate.x_forwarded_for, ListMode::append);
  EXPECT_FALSE(service.propagate.proxy_protocol);
  EXPECT_FALSE(service.health);
  EXPECT_EQ(service.retries.attempts, 1u);
  EXPECT_EQ(service.endpoints[0].name, "10.0.1.5:8080");
}

TEST(Model, TakesEveryProcessAndListenerField) {
  const LoadResult result = load_example("full.yaml");
  ASSERT_TRUE(result.model) << render(result, "full.yaml");
  const Model& model = *result.model;
  EXPECT_EQ(model.workers, 4u);
  EXPECT_EQ(model.max_connections, 20'000u);
  EXPECT_EQ(model.admin.listen->to_string(), "127.0.0.1:9900");
  EXPECT_EQ(model.admin.explain_requests, 64u);
  EXPECT_EQ(model.log.level, "debug");
  EXPECT_EQ(model.log.format, LogFormat::json);
  EXPECT_EQ(model.log.file, "/var/log/telltale/telltale.log");
  EXPECT_EQ(model.access_log.format, AccessLogFormat::text);
  EXPECT_EQ(model.access_log.file, "/var/log/telltale/access.log");
  EXPECT_EQ(model.access_log.text, "${time} ${client} ${method} ${target} ${status}");
  EXPECT_FALSE(model.access_log.queries);
  EXPECT_EQ(model.drain.delay, 10s);
  EXPECT_EQ(model.drain.grace, 60s);
  EXPECT_EQ(model.ranges_file, "/etc/telltale/ranges.txt");
  EXPECT_EQ(model.ranges, shipped_ranges());
  EXPECT_EQ(model.node_name, "node-a");
  EXPECT_EQ(model.zone, "a");
  ASSERT_EQ(model.dns.servers.size(), 2u);
  EXPECT_EQ(model.dns.servers[1].to_string(), "[2001:db8::53]:53");
  EXPECT_EQ(model.dns.timeout, 1s);
  EXPECT_EQ(model.dns.attempts, 3u);
  EXPECT_EQ(model.dns.min_ttl, 5s);
  EXPECT_EQ(model.dns.max_ttl, 60s);
  EXPECT_EQ(model.dns.retry, 2s);

  const Listener& web = model.listeners[0];
  EXPECT_EQ(web.name, "web");
  const ClientIp& ip = web.client_ip;
  EXPECT_FALSE(ip.detect_source_loss);
  ASSERT_EQ(ip.proxy_protocol.size(), 4u);
  EXPECT_EQ(ip.proxy_protocol[0].policy, ProxyPolicy::require);
  EXPECT_EQ(ip.proxy_protocol[0].version, ProxyVersions::v2);
  EXPECT_EQ(ip.proxy_protocol[1].version, ProxyVersions::any);
  EXPECT_TRUE(ip.proxy_protocol[0].from.contains(*net::IpAddress::parse("2001:db8::9")));
  EXPECT_EQ(ip.proxy_protocol[1].policy, ProxyPolicy::accept);
  EXPECT_EQ(ip.proxy_protocol[2].policy, ProxyPolicy::ignore);
  EXPECT_EQ(ip.proxy_protocol[3].policy, ProxyPolicy::forbid);
  EXPECT_TRUE(ip.proxy_protocol[3].from.includes_unix());
  EXPECT_EQ(ip.proxy_header_timeout, 2s);
  EXPECT_EQ(ip.proxy_max_header_bytes, 2048u);
  EXPECT_EQ(ip.proxy_header_count, 2u);
  EXPECT_EQ(ip.header.kind, HeaderTrust::Kind::forwarded);
  EXPECT_EQ(ip.header.field, http::FieldId::forwarded);
  EXPECT_EQ(ip.header.name, "forwarded");
  EXPECT_TRUE(ip.header.trusted.includes_unix());
  EXPECT_EQ(ip.header.trusted_hops, 2u);
  ASSERT_TRUE(ip.assertion);
  EXPECT_EQ(ip.assertion->key_file, "/etc/telltale/partners.keys");
  EXPECT_EQ(ip.assertion->window.max_age, 20s);
  EXPECT_EQ(ip.assertion->window.clock_skew, 2s);
  EXPECT_EQ(ip.header.on_invalid, forwarding::OnInvalid::reject);
  EXPECT_EQ(ip.header.extra_identity_names, std::vector<std::string>{"x-tenant-client"});
  EXPECT_EQ(web.limits.head.max_head_bytes, 65'536u);
  EXPECT_EQ(web.limits.head.max_target_bytes, 4096u);
  EXPECT_EQ(web.limits.head.max_fields, 200u);
  EXPECT_EQ(web.limits.head.underscores, http1::UnderscorePolicy::drop);
  EXPECT_EQ(web.limits.max_body_bytes, 10ull << 30);
  EXPECT_EQ(web.limits.max_connections, 5000u);
  EXPECT_EQ(web.limits.max_connections_per_client, 100u);
  EXPECT_EQ(web.timeouts.header, 5s);
  EXPECT_EQ(web.timeouts.body, 30s);
  EXPECT_EQ(web.timeouts.idle, 120s);
  EXPECT_EQ(web.timeouts.write, 45s);
  EXPECT_EQ(model.listeners[1].listen.unix_path, "/run/telltale/web.sock");
  EXPECT_EQ(model.listeners[1].unix_mode, 0600u);
  EXPECT_TRUE(model.listeners[1].internal);
  EXPECT_FALSE(web.internal);
  const ClientIp& edge = model.listeners[2].client_ip;
  EXPECT_EQ(edge.behind.preset, find_preset("aws-alb"));
  EXPECT_EQ(edge.header.kind, HeaderTrust::Kind::x_forwarded_for);
  EXPECT_EQ(edge.header.trusted_hops, 1u);
  EXPECT_TRUE(edge.header.trusted.contains(*net::IpAddress::parse("10.0.31.1")));
}

TEST(Model, TakesEveryRouteField) {
  const LoadResult result = load_example("full.yaml");
  ASSERT_TRUE(result.model);
  const auto& routes = result.model->listeners[0].routes;
  ASSERT_EQ(routes.size(), 8u);
  EXPECT_EQ(routes[0].name, "api");
  EXPECT_EQ(routes[0].match.host, "shop.example.com");
  EXPECT_EQ(routes[0].match.path, "/api");
  EXPECT_EQ(routes[0].service, 0u);
  EXPECT_EQ(routes[1].name, "shop.example.com/favicon.ico");
  EXPECT_EQ(routes[1].match.path_type, PathType::exact);
  EXPECT_EQ(routes[1].respond->status, 404u);
  EXPECT_EQ(routes[1].respond->content_type, "text/html");
  EXPECT_EQ(routes[1].respond->body, "<p>none");
  const auto condition = [](const char* name, std::string octets) {
    return Condition{{ConnectionTrait::Of::tlv, proxy_protocol::parse_tlv_selector(name).value()}, std::move(octets)};
  };
  EXPECT_EQ(routes[2].match.conditions, (std::vector{condition("ssl_client", "\7"), condition("0xE3", "tenant-7"),
                                                     condition("aws_vpce_id", "vpce-0123")}));
  EXPECT_EQ(routes[2].name, "shop.example.com/api ssl_client=7 0xE3=tenant-7 aws_vpce_id=vpce-0123");
  EXPECT_EQ(routes[3].name, "*.example.com");
  EXPECT_EQ(routes[3].redirect->scheme, "https");
  EXPECT_EQ(routes[3].redirect->host, "www.example.com");
  EXPECT_EQ(routes[3].redirect->path, "/");
  EXPECT_EQ(routes[3].redirect->status, 301u);
  EXPECT_EQ(routes[4].name, "default");
  EXPECT_EQ(routes[4].service, 1u);
}

TEST(Model, KnowsHeadersByName) {
  struct Case {
    const char* name;
    HeaderTrust::Kind kind;
    http::FieldId field;
    const char* stored;
  };
  using Kind = HeaderTrust::Kind;
  using enum http::FieldId;
  constexpr Case cases[] = {
      {"x-forwarded-for", Kind::x_forwarded_for, x_forwarded_for, "x-forwarded-for"},
      {"X_Forwarded_For", Kind::x_forwarded_for, x_forwarded_for, "x-forwarded-for"},
      {"Forwarded", Kind::forwarded, forwarded, "forwarded"},
      {"CF-Connecting-IP", Kind::single_address, cf_connecting_ip, "cf-connecting-ip"},
      {"X-Real-IP", Kind::single_address, x_real_ip, "x-real-ip"},
      {"X-My-Client", Kind::single_address, other, "x-my-client"},
      {"none", Kind::none, other, ""},
  };
  for (const Case& c : cases) {
    const LoadResult result =
        load_text("listeners: [{listen: ':80', client_ip: {trusted: [192.0.2.1], header: " + std::string(c.name) +
                  "}, routes: [{respond: {}}]}]");
    ASSERT_TRUE(result.model) << render(result, c.name);
    const HeaderTrust& header = result.model->listeners[0].client_ip.header;
    EXPECT_EQ(header.kind, c.kind) << c.name;
    EXPECT_EQ(header.field, c.field) << c.name;
    EXPECT_EQ(header.name, c.stored) << c.name;
  }
}

TEST(Expansion, LoadsAgainToTheSameModel) {
  for (const Example& example : read_examples()) {
    const LoadResult result = load_example(example.name);
    ASSERT_TRUE(result.model);
    const std::string expanded = expand(*result.model);
    const LoadResult again = load_text(expanded, {}, example_ranges);
    ASSERT_TRUE(again.model) << render(again, example.name);
    EXPECT_EQ(render(again, example.name), "") << "nothing that the file itself does not say";
    EXPECT_EQ(expand(*again.model), expanded) << example.name;
  }
}

TEST(Expansion, TellsModelsApart) {
  // The test above is worth what expand() shows: every field of the table is in the expansion of the example with every
  // field, each under its own name.
  const std::string expanded = expand(*load_example("full.yaml").model, Comments::why);  // `behind` is one
  for (const Object* object : all_objects()) {
    for (const Field& field : object->fields) {
      // Written out as routes, and as addresses of `endpoints`.
      EXPECT_NE(expanded.find(std::string(field.name) + ":"), std::string::npos) << object->name << " " << field.name;
    }
  }
}

TEST(Expansion, KeepsTlvValuesOctetByOctet) {
  const LoadResult result = load_text(
      "listeners: [{listen: ':80', client_ip: {proxy_protocol: [{from: [192.0.2.1], policy: require}]}, routes: ["
      "{respond: {}, match: {tlv: {authority: 'a%0Db', ssl_cn: ' Müller ', 0xe3: '0x00ff', unique_id: 00FF, "
      "azure_link_id: 258, crc32c: DEADBEEF, ssl_client_cert: Zm8=}}}]}]");
  ASSERT_TRUE(result.model) << render(result, "x");
  const auto& tlvs = result.model->listeners[0].routes[0].match.conditions;
  const auto octets = [&](const char* name) {
    return std::ranges::find(
               tlvs, ConnectionTrait{ConnectionTrait::Of::tlv, proxy_protocol::parse_tlv_selector(name).value()},
               &Condition::trait)
        ->octets;
  };
  EXPECT_EQ(octets("authority"), "a\rb");
  EXPECT_EQ(octets("ssl_cn"), " Müller ");
  EXPECT_EQ(octets("0xE3"), std::string("\0\xff", 2));
  EXPECT_EQ(octets("unique_id"), std::string("\0\xff", 2));
  EXPECT_EQ(octets("azure_link_id"), std::string("\2\1\0\0", 4));
  EXPECT_EQ(octets("crc32c"), "\xde\xad\xbe\xef");
  EXPECT_EQ(octets("ssl_client_cert"), "fo");
  const LoadResult again = load_text(expand(*result.model));
  ASSERT_TRUE(again.model) << render(again, "x");
  EXPECT_EQ(again.model->listeners[0].routes[0].match.conditions, tlvs);
}

TEST(Expansion, KeepsDifficultText) {
  const LoadResult result = load_text(
      "listeners: [{name: \"a \\\"b\\\" \\\\ é # : {\", listen: ':80', routes: [{respond: {body: "
      "\"$${HOME}\\n\\ttab\\u0001\\\\n\"}}]}]",
      [](std::string_view) { return std::nullopt; });
  ASSERT_TRUE(result.model) << render(result, "x");
  EXPECT_EQ(result.model->listeners[0].routes[0].respond->body, "${HOME}\n\ttab\x01\\n");
  const LoadResult again = load_text(expand(*result.model));
  ASSERT_TRUE(again.model) << render(again, "x");
  EXPECT_EQ(again.model->listeners[0].name, result.model->listeners[0].name);
  EXPECT_EQ(again.model->listeners[0].routes[0].respond->body, result.model->listeners[0].routes[0].respond->body);
}

}  // namespace
}  // namespace telltale::conf
