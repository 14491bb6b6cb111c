#include "proxy/cli/status.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

TEST(Status, TellsPeopleWhoServes) {
  const char* page = R"([
{"name":"shop","selection":{"external":{"reason":"fit","eligible":1},"internal":{"reason":"fit","eligible":1}},
 "nodes":[{"name":"node-a","address":"10.0.0.11","zone":"a","health":{"state":"draining","reason":"answered 503","since":"2026-01-31T23:59:59.999Z"}},
          {"name":"node-b","address":"10.0.0.12","zone":"b","health":null}],
 "endpoints":[{"name":"node-a","address":"10.0.0.11:80","state":"draining","reason":"answered 503","since":"2026-01-31T23:59:59.999Z","ejected":null},
              {"name":"10.0.0.12:80","address":"10.0.0.12:80","state":"unhealthy","reason":"ejected: 5 failures in a row, the last: x","since":"2026-01-31T23:59:58.000Z",
               "ejected":{"reason":"5 failures in a row, the last: x","since":"2026-01-31T23:59:58.000Z","until":"2026-02-01T00:00:08.000Z","times":1}},
              {"name":"c","address":"10.0.0.13:80","state":"healthy","reason":"","since":null,"ejected":null}]},
{"name":"api","selection":{"external":{"reason":"no_local_endpoint","eligible":0},"internal":{"reason":"fit","eligible":2}},"nodes":[],"endpoints":[]}
])";
  EXPECT_EQ(services_as_text(page),
            "service shop: fit, 1 of 3 endpoints may be chosen\n"
            "  node     node-a 10.0.0.11     draining   2026-01-31T23:59:59.999Z  answered 503\n"
            "  endpoint node-a 10.0.0.11:80  draining   2026-01-31T23:59:59.999Z  answered 503\n"
            "  endpoint 10.0.0.12:80         unhealthy  2026-01-31T23:59:58.000Z  "
            "ejected: 5 failures in a row, the last: x, until 2026-02-01T00:00:08.000Z\n"
            "  endpoint c 10.0.0.13:80       healthy    -\n"
            "service api: no_local_endpoint, 0 of 0 endpoints may be chosen\n"
            "  internal traffic: fit, 2 of 0 endpoints may be chosen\n");
}

TEST(Status, TellsPeopleHowTheyAreFound) {
  const char* page = R"([{"name":"shop","selection":{},"nodes":[],"endpoints":[],"discovery":{
 "names":[{"name":"shop.test","kind":"address","state":"stale","since":"2026-01-31T23:59:59.999Z","error":"A: timed out"},
          {"name":"_http._tcp.shop.test","kind":"srv","state":"answered","since":"2026-01-31T23:59:58.000Z","error":null}],
 "file":{"path":"/etc/shop.json","loaded":"2026-01-31T23:59:57.000Z","nodes":0,"endpoints":2,"problems":"one\ntwo"}}},
{"name":"api","selection":{},"nodes":[],"endpoints":[],
 "discovery":{"names":[],"file":{"path":"/etc/api.json","loaded":"2026-01-31T23:59:57.000Z","problems":null}}}])";
  const std::string text = services_as_text(page);
  const auto has = [&](std::string_view line) { return text.find(line) != std::string::npos; };
  EXPECT_TRUE(has("  name     shop.test             stale      2026-01-31T23:59:59.999Z  A: timed out\n")) << text;
  EXPECT_TRUE(has("  name     _http._tcp.shop.test  answered   2026-01-31T23:59:58.000Z\n")) << text;
  EXPECT_TRUE(has("  file     /etc/shop.json        refused    2026-01-31T23:59:57.000Z  one\n")) << text;
  EXPECT_TRUE(has("  file     /etc/api.json  in force   2026-01-31T23:59:57.000Z\n")) << text;
}

TEST(Status, SaysNothingOfAPageThatIsNone) {
  for (const char* page : {"", "null", "{}", "[", "[1,null]"}) EXPECT_EQ(services_as_text(page), "") << page;
}

}  // namespace
}  // namespace telltale::proxy
