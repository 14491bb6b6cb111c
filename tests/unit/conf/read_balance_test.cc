#include "conf/expand.h"
#include "tests/unit/conf/findings.h"

#include <gtest/gtest.h>

namespace telltale::conf {
namespace {

using namespace test;

std::string with(std::string_view fields) { return with_service("endpoints: [10.0.0.1:80],\n" + std::string(fields)); }

TEST(Loader, ReportsHowEndpointsAreChosen) {
  const Case cases[] = {
      {"words", with("balance: least_request, session_affinity: client_ip"), {}},
      {"none", with("session_affinity: none"), {}},
      {"both, with a hash", with("balance: maglev, session_affinity: client_ip"), {}},
      {"keys", with("balance: {policy: ring_hash, hash_on: cookie, name: session, table_size: 1024}"), {}},
      {"a policy that is not",
       with("balance: leastconn}\n- {name: b, endpoints: [10.0.0.1:80], balance: {policy: fair}"),
       {"4:10: error: services[0].balance: \"leastconn\" is not one of round_robin, least_request, random, maglev, "
        "ring_hash, nor a map",
        "5:10: warning: services[1].name: no route leads to the service \"b\"",
        "5:57: error: services[1].balance.policy: \"fair\" is not one of round_robin, least_request, random, maglev, "
        "ring_hash"}},
      {"no policy",
       with("balance: {hash_on: cookie}"),
       {"4:10: error: services[0].balance: the field \"policy\" is missing"}},
      {"a hash's settings without a hash",
       with("balance: {policy: random, hash_on: header, name: X, table_size: 7}"),
       {"4:36: error: services[0].balance.hash_on: is only for `maglev` and `ring_hash`",
        "4:50: error: services[0].balance.name: is only for `maglev` and `ring_hash`",
        "4:65: error: services[0].balance.table_size: is only for `maglev` and `ring_hash`"}},
      {"which header",
       with("balance: {policy: maglev, hash_on: header}"),
       {"4:36: error: services[0].balance.hash_on: `name` does not say which header"}},
      {"a header that cannot be",
       with("balance: {policy: maglev, hash_on: header, name: 'X User'}"),
       {"4:50: error: services[0].balance.name: \"X User\" is not the name of a header"}},
      {"a cookie that cannot be",
       with("balance: {policy: maglev, hash_on: cookie, name: 'a=b'}"),
       {"4:50: error: services[0].balance.name: \"a=b\" is not the name of a cookie"}},
      {"a name of nothing",
       with("balance: {policy: maglev, name: X}"),
       {"4:33: error: services[0].balance.name: is the name of a header or cookie, and the key is the client's "
        "address"}},
      {"not prime",
       with("balance: {policy: maglev, table_size: 65536}"),
       {"4:39: error: services[0].balance.table_size: \"65536\" is not a prime number: `maglev` would not fill its "
        "table"}},
      {"the smallest", with("balance: {policy: maglev, table_size: 2}"), {}},
      {"the largest", with("balance: {policy: maglev, table_size: 5000011}"), {}},
      {"beyond it, a prime",
       with("balance: {policy: maglev, table_size: 5000077}"),
       {"4:39: error: services[0].balance.table_size: \"5000077\" is out of range"}},
      {"a ring that is too small",
       with("balance: {policy: ring_hash, table_size: 1023}"),
       {"4:42: error: services[0].balance.table_size: \"1023\" is out of range"}},
      {"one that is too large",
       with("balance: {policy: ring_hash, table_size: 8388609}"),
       {"4:42: error: services[0].balance.table_size: \"8388609\" is out of range"}},
      {"affinity as Kubernetes writes it",
       with("session_affinity: ClientIP"),
       {"4:19: error: services[0].session_affinity: \"ClientIP\" is not one of none, client_ip, nor a map"}},
      {"affinity out of range",
       with("session_affinity: {timeout: 25h, max_clients: 0}"),
       {"4:29: error: services[0].session_affinity.timeout: \"25h\" is out of range",
        "4:47: error: services[0].session_affinity.max_clients: \"0\" is out of range"}},
      {"settings of none",
       with("session_affinity: {type: none, timeout: 1h}"),
       {"4:41: warning: services[0].session_affinity.timeout: has no effect with `type: none`"}},
  };
  expect(cases);
}

TEST(Loader, TellsWhatOthersWordsAreCalledHere) {
  struct Row {
    const char* fields;
    const char* hint;
  };
  constexpr Row rows[] = {
      {"traffic_distribution: PreferClose", "did you mean \"prefer_same_zone\"?"},
      {"traffic_distribution: PreferSameZone", "did you mean \"prefer_same_zone\"?"},
      {"traffic_distribution: PreferSameNode", "did you mean \"prefer_same_node\"?"},
      {"session_affinity: ClientIP", "did you mean \"client_ip\"?"},
      {"balance: leastconn", "did you mean \"least_request\"?"},
      {"balance: least_conn", "did you mean \"least_request\"?"},
      {"balance: roundrobin", "did you mean \"round_robin\"?"},
      {"balance: {policy: maglev, table_size: 65536}", "65537 is one"},
      {"ejection: {statuses: [5xx]}", "write 500-599"},
  };
  for (const Row& row : rows) {
    const LoadResult result = load_text(with(row.fields));
    ASSERT_EQ(result.diagnostics.size(), 1u) << row.fields;
    EXPECT_EQ(result.diagnostics[0].hint, row.hint) << row.fields;
  }
}

TEST(Expansion, KeepsEveryChoice) {
  for (const char* fields :
       {"balance: random", "balance: {policy: ring_hash, hash_on: cookie, name: a}, session_affinity: client_ip",
        "balance: maglev, session_affinity: {type: none}", "session_affinity: {timeout: 1s, max_clients: 1}"}) {
    const LoadResult result = load_text(with(fields));
    ASSERT_TRUE(result.model) << render(result, fields);
    const LoadResult again = load_text(expand(*result.model));
    ASSERT_TRUE(again.model && again.diagnostics.empty()) << render(again, fields);
    const Service &before = result.model->services[0], &after = again.model->services[0];
    EXPECT_EQ(after.balance.policy, before.balance.policy) << fields;
    EXPECT_EQ(after.balance.hash_on, before.balance.hash_on) << fields;
    EXPECT_EQ(after.balance.hash_name, before.balance.hash_name) << fields;
    EXPECT_EQ(after.session_affinity.has_value(), before.session_affinity.has_value()) << fields;
    if (!before.session_affinity) continue;
    EXPECT_EQ(after.session_affinity->timeout, before.session_affinity->timeout) << fields;
  }
}

}  // namespace
}  // namespace telltale::conf
