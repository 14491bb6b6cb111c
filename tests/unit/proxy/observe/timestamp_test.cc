#include "proxy/observe/timestamp.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

TEST(Timestamp, OfADateFieldIsThatOfTheStandard) {
  const struct {
    std::int64_t seconds;
    const char* text;
  } rows[] = {
      {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},  // RFC 9110 5.6.7
      {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
      {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
      {1798761599, "Thu, 31 Dec 2026 23:59:59 GMT"},
  };
  for (const auto& row : rows) {
    using std::chrono::system_clock;
    EXPECT_EQ(http_date(system_clock::time_point(std::chrono::seconds(row.seconds))), row.text);
  }
}

}  // namespace
}  // namespace telltale::proxy
