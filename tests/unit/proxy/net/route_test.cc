#include "proxy/net/route.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

TEST(Route, ToLoopbackAndNotToALinkNobodyNamed) {
  EXPECT_TRUE(has_route(*net::IpAddress::parse("127.0.0.1")));
  EXPECT_TRUE(has_route(*net::IpAddress::parse("127.200.0.1")));
  EXPECT_FALSE(has_route(*net::IpAddress::parse("fe80::1"))) << "link-local, without a link";
}

}  // namespace
}  // namespace telltale::proxy
