#include "proxy/exchange/hsts.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;

TEST(Hsts, IsOneLine) {
  conf::Listener listener;
  EXPECT_EQ(hsts_line(listener), "");
  listener.tls.emplace();
  EXPECT_EQ(hsts_line(listener), "") << "TLS alone asks for nothing";
  conf::Hsts& hsts = listener.tls->hsts.emplace();
  EXPECT_EQ(hsts_line(listener), "Strict-Transport-Security: max-age=31536000\r\n");
  hsts.include_subdomains = true;
  EXPECT_EQ(hsts_line(listener), "Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n");
  hsts.preload = true;
  EXPECT_EQ(hsts_line(listener), "Strict-Transport-Security: max-age=31536000; includeSubDomains; preload\r\n");
  hsts = {.max_age = 0ms};
  EXPECT_EQ(hsts_line(listener), "Strict-Transport-Security: max-age=0\r\n");
}

}  // namespace
}  // namespace telltale::proxy
