#include "proxy/explain/offline.h"

#include "conf/loader.h"
#include "proxy/explain/proxy_header_text.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <initializer_list>

namespace telltale::proxy {
namespace {

constexpr const char* configuration = R"(
listeners:
  - name: web
    listen: 203.0.113.140:80
    client_ip:
      proxy_protocol:
        - { from: [10.0.0.0/16], policy: require }
        - { from: [10.244.0.0/16], policy: accept }
        - { from: [10.9.0.0/16], policy: ignore, version: v2 }
        - { from: [10.8.0.0/16], policy: forbid }
      trusted: [10.0.0.0/8, 192.0.2.7]
    routes:
      - { match: { host: old.example }, redirect: { scheme: https } }
      - { match: { host: fixed.example }, respond: { status: 204 } }
      - { match: { host: a.example, path: /api }, service: api }
      - { match: { host: a.example }, service: app }
  - name: hops
    listen: 203.0.113.140:81
    client_ip: { header: forwarded, trusted: [10.0.0.0/8], trusted_hops: 2 }
    service: app
  - name: cdn
    listen: 203.0.113.140:82
    client_ip: { header: cf-connecting-ip, trusted: [10.0.0.0/8] }
    service: app
  - name: nobody
    listen: ":83"
    client_ip: { header: none }
    service: app
services:
  - name: api
    propagate: { proxy_protocol: v2, tlvs: [authority], x_forwarded_for: replace, x_real_ip: true }
    port: 30080
    nodes: [{ name: node-a, address: 10.0.5.1 }, { name: node-b, address: 10.0.5.2, port: 30081 }]
  - name: app
    endpoints: [10.0.6.1:8080]
)";

std::shared_ptr<const conf::Model> model() {
  const auto loaded = conf::load_text(configuration);
  EXPECT_NE(loaded.model, nullptr) << conf::render(loaded, "test");
  return loaded.model;
}

struct Given {
  std::size_t listener = 0;
  const char* peer = "10.0.0.7:5";
  std::initializer_list<const char*> proxy_headers = {};
  std::initializer_list<const char*> headers = {};
  const char* host = "a.example";
  const char* path = "/";
};

Explanation explain(const Given& given) {
  static const auto loaded = model();
  OfflineRequest request;
  request.peer = net::parse_ip_port(given.peer);
  for (const char* text : given.proxy_headers) {
    const auto header = read_proxy_header(text, loaded->listeners[given.listener].listen.ip);
    EXPECT_EQ(header.error, "");
    request.proxy_octets += header.octets;
  }
  request.headers.assign(given.headers.begin(), given.headers.end());
  request.host = given.host;
  request.path = given.path;
  return explain_offline(*loaded, given.listener, request);
}

/// `address said_by: verdict`, a line each, from us outwards.
std::string hops(const Explanation& e) {
  std::string out;
  for (const auto& hop : e.hops) {
    out += hop.address + " " + hop.said_by + (hop.is_client ? " CLIENT: " : ": ") + hop.verdict + "\n";
  }
  return out;
}
std::string fields(const std::vector<Explanation::Field>& all) {
  std::string out;
  for (const auto& field : all) out += field.name + ": " + field.value + " (" + field.why + ")\n";
  return out;
}
std::string lines(const Explanation& e) {
  std::string out;
  for (const auto& line : e.told_lines) out += line + "\n";
  return out;
}

TEST(ExplainOffline, SaysWhichRuleLetEachHopSpeak) {
  const struct {
    const char* description;
    Given given;
    const char* expected;
  } cases[] = {
      {"an unknown peer is the client",
       {.peer = "198.51.100.1:9"},
       "198.51.100.1:9 socket CLIENT: not in client_ip.trusted\n"},
      {"and so it is with a header that nobody believes",
       {.peer = "198.51.100.1:9", .headers = {"X-Forwarded-For: 1.2.3.4"}},
       "198.51.100.1:9 socket CLIENT: not in client_ip.trusted: the x-forwarded-for that came is not believed\n"},
      {"PROXY alone",
       {.proxy_headers = {"198.51.100.1:9"}},
       "10.0.0.7:5 socket: its PROXY header is believed: client_ip.proxy_protocol[0] (10.0.0.0/16, require)\n"
       "198.51.100.1:9 PROXY header CLIENT: not in client_ip.trusted\n"},
      {"PROXY, then a header from a hop that is trusted",
       {.proxy_headers = {"192.0.2.7:9"}, .headers = {"X-Forwarded-For: 6.6.6.6, 198.51.100.1, 10.1.1.1"}},
       "10.0.0.7:5 socket: its PROXY header is believed: client_ip.proxy_protocol[0] (10.0.0.0/16, require)\n"
       "192.0.2.7:9 PROXY header: in client_ip.trusted (192.0.2.7/32)\n"
       "10.1.1.1 x-forwarded-for: in client_ip.trusted (10.0.0.0/8)\n"
       "198.51.100.1 x-forwarded-for CLIENT: not in client_ip.trusted\n"},
      {"LOCAL leaves the peer",
       {.proxy_headers = {"LOCAL"}},
       "10.0.0.7:5 socket CLIENT: in client_ip.trusted (10.0.0.0/8), but no x-forwarded-for came\n"},
      {"all are trusted",
       {.peer = "10.244.0.1:5", .headers = {"X-Forwarded-For: 10.3.3.3"}},
       "10.244.0.1:5 socket: in client_ip.trusted (10.0.0.0/8)\n"
       "10.3.3.3 x-forwarded-for CLIENT: the leftmost, and all are in client_ip.trusted\n"},
      {"garbage ends the walk",
       {.peer = "10.244.0.1:5", .headers = {"X-Forwarded-For: unknown, 10.3.3.3"}},
       "10.244.0.1:5 socket: in client_ip.trusted (10.0.0.0/8)\n"
       "10.3.3.3 x-forwarded-for CLIENT: the last before an entry of x-forwarded-for that cannot be read\n"},
      {"hops are counted",
       {.listener = 1, .headers = {"Forwarded: for=1.1.1.1, for=2.2.2.2, for=3.3.3.3"}},
       "10.0.0.7:5 socket: in client_ip.trusted (10.0.0.0/8)\n"
       "3.3.3.3 forwarded: one of client_ip.trusted_hops: 2\n"
       "2.2.2.2 forwarded CLIENT: client_ip.trusted_hops: 2, counted from the right\n"},
      {"fewer hops than are trusted: all of them wrote what is there",
       {.listener = 1, .headers = {"Forwarded: for=3.3.3.3"}},
       "10.0.0.7:5 socket: in client_ip.trusted (10.0.0.0/8)\n"
       "3.3.3.3 forwarded CLIENT: the leftmost: there are fewer entries than client_ip.trusted_hops: 2\n"},
      {"a header of one address",
       {.listener = 2, .headers = {"CF-Connecting-IP: 1.1.1.1"}},
       "10.0.0.7:5 socket: in client_ip.trusted (10.0.0.0/8)\n"
       "1.1.1.1 cf-connecting-ip CLIENT: the one address that cf-connecting-ip holds\n"},
      {"no header at all",
       {.listener = 3},
       "10.0.0.7:5 socket CLIENT: no header is believed (client_ip.header: none)\n"},
  };
  for (const auto& c : cases) EXPECT_EQ(hops(explain(c.given)), c.expected) << c.description;
}

TEST(ExplainOffline, SaysWhatClosesTheConnection) {
  const struct {
    const char* description;
    Given given;
    const char* cause;
  } cases[] = {
      {"no header where one must come", {}, "plain_http"},
      {"from nobody's peer", {.peer = "198.51.100.1:9", .proxy_headers = {"192.0.2.1"}}, "not_listed"},
      {"from a peer that is forbidden", {.peer = "10.8.0.1:9", .proxy_headers = {"192.0.2.1"}}, "not_listed"},
      {"twice", {.proxy_headers = {"10.0.0.8", "192.0.2.2"}}, "header_twice"},
      {"v1 where v2 must be", {.peer = "10.9.0.1:9", .proxy_headers = {"v1 192.0.2.1"}}, "v1_not_allowed"},
      {"malformed", {.proxy_headers = {"PROXY TCP4 x"}}, "malformed"},
      {"half of one", {.proxy_headers = {"0d0a0d0a000d0a515549540a2111000c01"}}, "timed_out"},
  };
  for (const auto& c : cases) {
    const Explanation e = explain(c.given);
    EXPECT_EQ(e.outcome, Explanation::Outcome::closed) << c.description;
    EXPECT_EQ(e.cause, c.cause) << c.description;
    EXPECT_NE(e.why, "") << c.description;
    EXPECT_EQ(lines(e), "") << c.description;
  }
}

TEST(ExplainOffline, SaysWhatIsAnsweredHere) {
  const std::string many = "X-Forwarded-For: " + std::string(9000, '1');
  const struct {
    const char* description;
    Given given;
    const char* why;
  } cases[] = {
      {"no route", {.peer = "10.244.0.1:5", .host = "b.example"}, "404 Not Found: no route"},
      {"a redirect",
       {.peer = "10.244.0.1:5", .host = "old.example"},
       "308 Permanent Redirect: the route redirects; Location: https://old.example/"},
      {"a fixed answer", {.peer = "10.244.0.1:5", .host = "fixed.example"}, "204 No Content"},
      {"a list too long", {.peer = "10.244.0.1:5", .headers = {many.c_str()}}, "400 Bad Request"},
      {"a header that smuggles",
       {.peer = "10.244.0.1:5", .headers = {"Connection: x-forwarded-for"}},
       "400 Bad Request"},
      {"a bad host", {.peer = "10.244.0.1:5", .host = "a b"}, "400 Bad Request"},
  };
  for (const auto& c : cases) {
    const Explanation e = explain(c.given);
    EXPECT_EQ(e.outcome, Explanation::Outcome::answered) << c.description;
    EXPECT_TRUE(e.why.starts_with(c.why)) << c.description << ": " << e.why;
    EXPECT_EQ(lines(e), "") << c.description;
  }
}

TEST(ExplainOffline, SaysWhatWasRefusedAndRemovedAndWhy) {
  const Explanation e = explain({.peer = "10.244.0.1:5",
                                 .headers = {"X-Forwarded-For: 6.6.6.6, 198.51.100.1", "X-Real-IP: 6.6.6.6",
                                             "x_real_ip: 7.7.7.7", "X-Forwarded-Proto: https", "Accept: */*"}});
  EXPECT_EQ(fields(e.refused), "x-forwarded-for: 6.6.6.6 (left of the client: anyone may have written it)\n");
  const std::string removed = fields(e.removed);
  for (const char* said : {"X-Forwarded-For: 6.6.6.6, 198.51.100.1 (read, and written anew by propagate)",
                           "X-Real-IP: 6.6.6.6 (only x-forwarded-for is believed (client_ip.header))",
                           "X-Forwarded-Proto: https (read beside x-forwarded-for, and written anew)",
                           "x_real_ip: 7.7.7.7 (a backend may take it for x-real-ip: never passed on)"}) {
    EXPECT_NE(removed.find(said), removed.npos) << said << "\nin\n" << removed;
  }
  EXPECT_EQ(removed.find("Accept"), removed.npos);
  const Explanation untrusted = explain({.peer = "198.51.100.1:5", .headers = {"X-Forwarded-For: 6.6.6.6"}});
  EXPECT_EQ(fields(untrusted.refused),
            "x-forwarded-for: 6.6.6.6 (it came from 198.51.100.1, which is not in client_ip.trusted)\n");
  EXPECT_EQ(fields(untrusted.removed), "X-Forwarded-For: 6.6.6.6 (from a hop that is not in client_ip.trusted)\n");
}

TEST(ExplainOffline, SaysWhatEachBackendIsTold) {
  const Explanation e = explain({.proxy_headers = {"198.51.100.1:9 203.0.113.140:80"},
                                 .headers = {"X-Forwarded-For: 6.6.6.6", "Accept: text/html"},
                                 .path = "/api/x?q=1"});
  EXPECT_EQ(e.route, "a.example/api");
  EXPECT_EQ(e.service, "api");
  ASSERT_EQ(e.backends.size(), 2u);
  EXPECT_EQ(e.backends[0].endpoint + " " + e.backends[0].node, "10.0.5.1:30080 node-a");
  EXPECT_EQ(e.backends[1].endpoint + " " + e.backends[1].node, "10.0.5.2:30081 node-b");
  ASSERT_TRUE(e.told_proxy_header);
  EXPECT_EQ(e.told_proxy_header->version + e.told_proxy_header->command, "v2PROXY");
  EXPECT_EQ(e.told_proxy_header->source, "198.51.100.1:9");
  EXPECT_EQ(e.told_proxy_header->destination, "203.0.113.140:80");
  EXPECT_EQ(e.told_proxy_header->tlvs, (std::vector<std::pair<std::string, std::string>>{{"authority", "a.example"}}));
  EXPECT_EQ(lines(e),
            "GET /api/x?q=1 HTTP/1.1\nHost: a.example\nAccept: text/html\nX-Forwarded-For: 198.51.100.1\n"
            "X-Real-IP: 198.51.100.1\nVia: 1.1 telltale\n");
}

TEST(ExplainText, DrawsTheHopsFromTheClientInwards) {
  const std::string text =
      render_text(explain({.proxy_headers = {"192.0.2.7:9"}, .headers = {"X-Forwarded-For: 6.6.6.6, 198.51.100.1"}}));
  std::size_t at = 0;
  for (const char* said :
       {"listener web", "client ", "198.51.100.1", "hop ", "192.0.2.7:9", "peer ", "10.0.0.7:5", "telltale",
        "client: 198.51.100.1", "known by header", "refused", "6.6.6.6", "route", "10.0.6.1:8080",
        "each backend is told:", "X-Forwarded-For: 6.6.6.6, 198.51.100.1, 192.0.2.7"}) {
    const std::size_t found = text.find(said, at);
    EXPECT_NE(found, text.npos) << said << " behind what comes before it, in\n" << text;
    if (found != text.npos) at = found;
  }
}

TEST(ExplainText, WhatAPeerSentCannotForgeALine) {
  Explanation e = explain({});
  e.refused.push_back({"x-forwarded-for", "1.2.3.4\nclient: 6.6.6.6\x1b[2J", "why"});
  const std::string text = render_text(e);
  EXPECT_EQ(text.find("\nclient: 6.6.6.6"), text.npos);
  EXPECT_EQ(text.find('\x1b'), text.npos);
}

TEST(ExplainJson, HoldsTheSame) {
  const Explanation e = explain({.proxy_headers = {"198.51.100.1:9"}, .path = "/api"});
  const auto json = boost::json::parse(render_json(e)).as_object();
  EXPECT_EQ(json.at("listener").as_string(), "web");
  EXPECT_EQ(json.at("outcome").as_string(), "forwarded");
  EXPECT_EQ(json.at("client").at("address").as_string(), "198.51.100.1");
  EXPECT_EQ(json.at("client").at("port").as_int64(), 9);
  EXPECT_EQ(json.at("client").at("provenance").as_string(), "proxy_protocol");
  EXPECT_EQ(json.at("hops").as_array().size(), 2u);
  EXPECT_TRUE(json.at("hops").at(1).at("client").as_bool());
  EXPECT_EQ(json.at("proxy_headers").at(0).at("source").as_string(), "198.51.100.1:9");
  EXPECT_EQ(json.at("told").at("proxy_header").at("tlvs").at("authority").as_string(), "a.example");
  EXPECT_EQ(json.at("backends").at(0).at("node").as_string(), "node-a");
  EXPECT_FALSE(json.contains("request_id"));
  const auto closed = boost::json::parse(render_json(explain({}))).as_object();
  EXPECT_EQ(closed.at("outcome").as_string(), "closed");
  EXPECT_EQ(closed.at("cause").as_string(), "plain_http");
  EXPECT_TRUE(closed.at("told").is_null());
}

}  // namespace
}  // namespace telltale::proxy
