#include "proxy/observe/log_rate.h"

#include <gtest/gtest.h>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;

TEST(LogRate, LetsOneThroughInEachIntervalAndCountsTheRest) {
  const struct {
    const char* description;
    std::chrono::milliseconds at;
    std::optional<std::uint64_t> admitted;
  } steps[] = {
      {"the first goes through", 0ms, 0},
      {"one at the same time is held back", 0ms, std::nullopt},
      {"and one just before the interval is over", 9999ms, std::nullopt},
      {"the next says how many were held back", 10s, 2},
      {"a new interval began with it", 19s, std::nullopt},
      {"after a long silence the old count is told", 1h, 1},
      {"and only once", 2h, 0},
  };
  const LogRate::Clock::time_point start{};
  LogRate rate;
  for (const auto& step : steps) EXPECT_EQ(rate.admit(start + step.at), step.admitted) << step.description;
}

}  // namespace
}  // namespace telltale::proxy
