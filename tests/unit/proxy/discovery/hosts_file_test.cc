#include "proxy/discovery/hosts_file.h"

#include "tests/unit/proxy/observe/temporary_directory.h"

#include <gtest/gtest.h>

#include <fstream>

namespace telltale::proxy {
namespace {

constexpr std::string_view hosts =
    "# the usual\n"
    "127.0.0.1\tlocalhost\n"
    "::1     localhost ip6-localhost # loopback\n"
    "10.0.0.2 shop.internal shop\r\n"
    "  10.0.0.1 Shop.Internal\n"
    "10.0.0.2 shop.internal\n"
    "not-an-address shop.internal\n"
    "#10.0.0.9 hidden\n"
    "10.0.0.8 # shop.internal\n"
    "10.0.0.3 last";

std::string found(std::string_view name) {
  std::string text;
  for (const auto& address : find_in_hosts(hosts, name)) text += (text.empty() ? "" : " ") + address.to_string();
  return text;
}

TEST(HostsFile, FindsEveryLineOfAName) {
  EXPECT_EQ(found("localhost"), "::1 127.0.0.1");
  EXPECT_EQ(found("ip6-localhost"), "::1");
  EXPECT_EQ(found("shop.internal"), "10.0.0.1 10.0.0.2");
  EXPECT_EQ(found("SHOP.internal."), "10.0.0.1 10.0.0.2");
  EXPECT_EQ(found("shop"), "10.0.0.2");
  EXPECT_EQ(found("last"), "10.0.0.3") << "no line feed at the end";
  EXPECT_EQ(found("hidden"), "");
  EXPECT_EQ(found("10.0.0.3"), "") << "an address is no name";
  EXPECT_EQ(found("internal"), "");
}

TEST(HostsFile, IsReadAnewEachTime) {
  const test::TemporaryDirectory directory;
  const std::string path = directory / "hosts";
  EXPECT_TRUE(find_in_hosts_file(path, "shop").empty()) << "there is none";
  std::ofstream(path) << "10.0.0.1 shop\n";
  EXPECT_EQ(find_in_hosts_file(path, "shop").size(), 1U);
  std::ofstream(path) << "10.0.0.1 shop\n10.0.0.2 shop\n";
  EXPECT_EQ(find_in_hosts_file(path, "shop").size(), 2U);
}

}  // namespace
}  // namespace telltale::proxy
