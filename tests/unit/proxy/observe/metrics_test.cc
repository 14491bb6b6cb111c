#include "proxy/observe/metrics.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace telltale::proxy {
namespace {

using namespace std::chrono_literals;

TEST(Histogram, BucketHoldsItsUpperBound) {
  const struct {
    const char* description;
    std::chrono::nanoseconds duration;
    std::size_t bucket;
  } rows[] = {
      {"zero", 0ns, 0},
      {"a clock that went back", -1s, 0},
      {"the first bound", 500us, 0},
      {"just above it", 500001ns, 1},
      {"one millisecond", 1ms, 1},
      {"between", 300ms, 9},
      {"the last bound", 60s, 13},
      {"beyond", 60s + 1ns, 14},
      {"far beyond", 10h, 14},
  };
  for (const auto& row : rows) {
    Histogram histogram;
    histogram.observe(row.duration);
    for (std::size_t i = 0; i <= Histogram::bounds.size(); ++i) {
      EXPECT_EQ(histogram.bucket(i), i == row.bucket ? 1u : 0u) << row.description << ", bucket " << i;
    }
  }
}

TEST(Histogram, SumIsInSeconds) {
  Histogram histogram;
  histogram.observe(1500ms);
  histogram.observe(-3s);
  histogram.observe(250ms);
  EXPECT_DOUBLE_EQ(histogram.sum_seconds(), 1.75);
}

TEST(WorkerMetrics, HasOneEntryForEachListenerAndService) {
  const WorkerMetrics metrics(2, 3);
  EXPECT_EQ(metrics.listeners.size(), 2u);
  EXPECT_EQ(metrics.services.size(), 3u);
  for (const auto& entry : metrics.listeners) EXPECT_NE(entry, nullptr);
  for (const auto& entry : metrics.services) EXPECT_NE(entry, nullptr);
}

TEST(ProxyFailure, EveryCauseHasItsName) {
  std::set<std::string> names;
  for (int i = 0; i < static_cast<int>(ProxyFailure::count_); ++i)
    names.insert(to_string(static_cast<ProxyFailure>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(ProxyFailure::count_));
  EXPECT_STREQ(to_string(ProxyFailure::no_header), "no_header");
  EXPECT_STREQ(to_string(ProxyFailure::tls_client_hello), "tls_client_hello");
}

}  // namespace
}  // namespace telltale::proxy
