#include "proxy/exchange/hash_key.h"

#include "proxy/upstream/balancer.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

http::HeaderBlock block(const std::vector<std::pair<std::string, std::string>>& fields) {
  http::HeaderBlock all;
  for (const auto& [name, value] : fields) all.append(name, value);
  return all;
}

TEST(FindCookie, TakesTheFirstOfThatName) {
  struct Row {
    const char* description;
    std::vector<std::pair<std::string, std::string>> fields;
    std::optional<std::string_view> value;
  };
  const Row rows[] = {
      {"no field", {{"Host", "a"}}, std::nullopt},
      {"alone", {{"Cookie", "id=7"}}, "7"},
      {"among others", {{"cookie", "a=1; id=7; b=2"}}, "7"},
      {"without spaces", {{"cookie", "a=1;id=7"}}, "7"},
      {"twice: the first", {{"cookie", "id=1; id=2"}}, "1"},
      {"in a second field", {{"cookie", "a=1"}, {"cookie", "id=7"}}, "7"},
      {"empty", {{"cookie", "id="}}, ""},
      {"a value with an equals sign", {{"cookie", "id=a=b"}}, "a=b"},
      {"names are case-sensitive", {{"cookie", "ID=7"}}, std::nullopt},
      {"not a part of a name", {{"cookie", "xid=7; idx=8"}}, std::nullopt},
      {"no equals sign", {{"cookie", "id; a=1"}}, std::nullopt},
      {"nothing but separators", {{"cookie", ";; ; "}}, std::nullopt},
  };
  for (const Row& row : rows) EXPECT_EQ(find_cookie(block(row.fields), "id"), row.value) << row.description;
}

TEST(BalanceHash, IsOfWhatTheConfigurationNames) {
  const auto client = net::IpAddress::v4(198, 51, 100, 1), other = net::IpAddress::v4(198, 51, 100, 2);
  const auto fields = block({{"X-User", "ann"}, {"Cookie", "id=7"}});
  conf::Balance balance{.policy = conf::BalancePolicy::maglev};
  const auto of_client = balance_hash_of(balance, fields, &client);
  EXPECT_EQ(of_client, balance_hash_of(balance, {}, &client));
  EXPECT_NE(of_client, balance_hash_of(balance, fields, &other));
  balance.hash_on = conf::HashOn::header, balance.hash_name = "x-user";
  EXPECT_EQ(balance_hash_of(balance, fields, &client), balance_hash("ann"));
  EXPECT_EQ(balance_hash_of(balance, {}, &client), of_client) << "without the header: the client";
  balance.hash_on = conf::HashOn::cookie, balance.hash_name = "id";
  EXPECT_EQ(balance_hash_of(balance, fields, &client), balance_hash("7"));
  EXPECT_EQ(balance_hash_of(balance, {}, &client), of_client);
  EXPECT_EQ(balance_hash_of(balance, {}, nullptr), balance_hash({})) << "nothing to go by";
}

}  // namespace
}  // namespace telltale::proxy
